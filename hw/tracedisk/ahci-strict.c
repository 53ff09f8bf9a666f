/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci: strict=on, where metal is less forgiving than an emulation
 *
 * What takes its time takes it in virtual time, what the specification leaves
 * to the driver goes wrong when the driver forgets it. AHCI 1.3.1, section
 * numbers in brackets; see also what asks for hba->strict in the other files.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ahci.h"

/* "Software should wait at least 500 milliseconds" says how long it may be. */
#define STOP_NS (100 * SCALE_US)
/* "a minimum of 1 millisecond to ensure that a COMRESET is sent" [3.3.11] */
#define COMRESET_NS SCALE_MS
/* SATA gives a disk 10 ms to answer with a COMINIT. */
#define LINK_NS (2 * SCALE_MS)

#define FIS_H2D_DWORDS 5

static int64_t now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* ---- Start and stop ---------------------------------------------------- */

/*
 * PxCMD.CR and FR go on while the HBA finishes what it does; a driver that
 * does not wait for them finds the port still at work [10.3.1, 10.3.2].
 */
void ahci_strict_stopping(AhciPort *p)
{
    if (p->cmd & PX_CMD_CR) {
        p->cr_until = now() + STOP_NS;
    }
}

void ahci_strict_fis_stopping(AhciPort *p)
{
    p->fr_until = now() + STOP_NS;
}

void ahci_strict_settle(AhciPort *p)
{
    if (p->cr_until && now() >= p->cr_until) {
        p->cr_until = 0;
        p->cmd &= ~PX_CMD_CR;
        ahci_port_start(p);
    }
    if (p->fr_until && now() >= p->fr_until) {
        p->fr_until = 0;
        p->cmd &= p->cmd & PX_CMD_FRE ? ~0u : ~PX_CMD_FR;
    }
}

/* ---- COMRESET [10.4.2] ------------------------------------------------- */

void ahci_strict_comreset_begin(AhciPort *p)
{
    timer_del(p->link_timer);
    p->comreset_since = now();
}

bool ahci_strict_comreset_end(AhciPort *p)
{
    if (now() - p->comreset_since >= COMRESET_NS) {
        return true;
    }
    td_recorder_guest_error(ahci_port_recorder(p), p->number,
                            "PxSCTL.DET was 1 for less than a millisecond: "
                            "no COMRESET was sent");
    return false;
}

void ahci_strict_link_later(AhciPort *p)
{
    timer_mod(p->link_timer, now() + LINK_NS);
}

/* ---- Commands ---------------------------------------------------------- */

/* The HBA sends as many dwords as CFL says; a disk wants all five [4.2.2]. */
bool ahci_strict_refuses(AhciSlot *s)
{
    unsigned dwords = s->header & CMD_HEADER_CFL;

    if (dwords == FIS_H2D_DWORDS) {
        return false;
    }
    td_recorder_guest_error(ahci_port_recorder(s->port), s->port->number,
                            "slot %u: a FIS of CFL %u dwords is not Register "
                            "Host to Device", s->number, dwords);
    return true;
}

/*
 * Bit 0 of DBA does not exist, bit 0 of DBC is taken as 1: data is in words,
 * wherever the driver thought it would go [4.2.3.3].
 */
void ahci_strict_prd(AhciSlot *s, uint64_t *addr, uint32_t *bytes)
{
    if (!(*addr & 1 || *bytes & 1)) {
        return;
    }
    if (!s->odd_told) {
        s->odd_told = true;
        td_recorder_guest_error(ahci_port_recorder(s->port), s->port->number,
                                "slot %u: PRD with an odd address or byte "
                                "count (0x%" PRIx64 ", %" PRIu32 "): bit 0 is "
                                "not looked at", s->number, *addr, *bytes);
    }
    *addr &= ~1ull;
    *bytes += *bytes & 1;
}
