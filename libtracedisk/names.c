/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words for the numbers in a trace, as people and programs read them.
 */
#include "tracedisk.h"

#define NAME(names, i) \
    ((unsigned)(i) < sizeof(names) / sizeof((names)[0]) && (names)[i] ? (names)[i] : "unknown")

const char *td_op_name(enum td_op op)
{
    static const char *const names[] = {
        [TD_OP_OTHER] = "other",   [TD_OP_READ] = "read",         [TD_OP_WRITE] = "write",
        [TD_OP_FLUSH] = "flush",   [TD_OP_TRIM] = "trim",         [TD_OP_ZERO] = "zero",
        [TD_OP_VERIFY] = "verify", [TD_OP_IDENTIFY] = "identify",
    };

    return NAME(names, op);
}

const char *td_status_name(enum td_status status)
{
    static const char *const names[] = {
        [TD_GOOD] = "good",
        [TD_ERROR] = "error",
        [TD_ABORTED] = "aborted",
        [TD_PENDING] = "pending",
    };

    return NAME(names, status);
}

const char *td_event_name(enum td_event_type type)
{
    static const char *const names[] = {
        [TD_EVENT_RESET] = "reset",
        [TD_EVENT_ABORT] = "abort",
        [TD_EVENT_FIS] = "fis",
        [TD_EVENT_INTERRUPT] = "interrupt",
        [TD_EVENT_REGISTER_READ] = "register-read",
        [TD_EVENT_REGISTER_WRITE] = "register-write",
        [TD_EVENT_WATCH] = "watch",
        [TD_EVENT_RUN_STATE] = "run-state",
        [TD_EVENT_LOADVM] = "loadvm",
        [TD_EVENT_GUEST_ERROR] = "guest-error",
        [TD_EVENT_PORT] = "port",
        [TD_EVENT_RECORDING] = "recording",
        [TD_EVENT_IO_ERROR] = "io-error",
        [TD_EVENT_FAULT] = "fault",
        [TD_EVENT_TRIM] = "trim",
    };

    return NAME(names, type);
}

const char *td_metadata_name(enum td_metadata_kind kind)
{
    static const char *const names[] = {
        [TD_META_D2H_FIS] = "d2h-fis",
        [TD_META_PIO_SETUP_FIS] = "pio-setup-fis",
        [TD_META_DMA_SETUP_FIS] = "dma-setup-fis",
        [TD_META_SDB_FIS] = "sdb-fis",
        [TD_META_PRDBC] = "prdbc",
        [TD_META_UNKNOWN_FIS] = "unknown-fis",
    };

    return NAME(names, kind);
}
