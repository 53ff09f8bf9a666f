/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the one place that knows which QEMU it is compiled against
 *
 * One source serves QEMU 7.2 to 10.x. What moved or changed between them is
 * evened out here; no other file asks for a version. Include it right after
 * qemu/osdep.h.
 */
#ifndef HW_TRACEDISK_COMPAT_H
#define HW_TRACEDISK_COMPAT_H

#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/coroutine.h"
#include "qemu/cutils.h"
#include "qemu/memalign.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/qapi-types-block-core.h"
#include "qapi/qapi-types-run-state.h"
#include "block/block.h"
#include "hw/block/block.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/msi.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "migration/vmstate.h"
#include "qom/object.h"

/* QEMU 10.0 renamed include/sysemu/ to include/system/ (and qapi/qmp). */
#if __has_include("system/block-backend.h")
#include "system/block-backend.h"
#include "system/dma.h"
#include "system/hw_accel.h"
#include "system/runstate.h"
#include "system/system.h"
#else
#include "sysemu/block-backend.h"
#include "sysemu/dma.h"
#include "sysemu/hw_accel.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#endif
#if __has_include("qobject/qdict.h")
#include "qobject/qbool.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#else
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#endif

/*
 * QEMU 10.0: properties are const and their array has no end marker, reset is
 * "legacy"; 10.1: class_init's data and interfaces are const.
 */
#ifdef DEFINE_PROP_END_OF_LIST
#define TD_PROPERTIES Property
#define TD_PROPERTIES_END DEFINE_PROP_END_OF_LIST(),
#define td_device_class_set_reset(dc, fn) ((dc)->reset = (fn))
#else
#define TD_PROPERTIES const Property
#define TD_PROPERTIES_END
#define td_device_class_set_reset(dc, fn) \
    device_class_set_legacy_reset(dc, fn)
#endif

#if __has_include("system/memory.h")
#include "system/memory.h"
#include "system/address-spaces.h"
#define TD_CLASS_DATA const void *
#define TD_INTERFACES const InterfaceInfo
#else
#include "exec/memory.h"
#include "exec/address-spaces.h"
#define TD_CLASS_DATA void *
#define TD_INTERFACES InterfaceInfo
#endif

#define TD_QEMU_VERSION (QEMU_VERSION_MAJOR * 10000 + QEMU_VERSION_MINOR * 100 \
                         + QEMU_VERSION_MICRO)

/* 10.0: a region's directness depends on the transaction's attributes. */
static inline bool td_memory_access_is_direct(MemoryRegion *mr, bool is_write)
{
#if TD_QEMU_VERSION >= 100000
    return memory_access_is_direct(mr, is_write, MEMTXATTRS_UNSPECIFIED);
#else
    return memory_access_is_direct(mr, is_write);
#endif
}

/* 10.0.13 (a stable update) gave discard requests flags. */
static inline int coroutine_fn
td_blk_co_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes)
{
#if TD_QEMU_VERSION >= 100013
    return blk_co_pdiscard(blk, offset, bytes, 0);
#else
    return blk_co_pdiscard(blk, offset, bytes);
#endif
}

/* What the host stores at @offset: BDRV_BLOCK_*, and for how many bytes. */
static inline int coroutine_fn
td_blk_co_block_status(BlockBackend *blk, int64_t offset, int64_t bytes,
                       int64_t *n)
{
#if TD_QEMU_VERSION >= 100000
    return blk_co_block_status_above(blk, NULL, offset, bytes, n, NULL, NULL);
#else
    return bdrv_block_status_above(blk_bs(blk), NULL, offset, bytes, n, NULL,
                                   NULL);
#endif
}

/*
 * Before 9.0 a BlockBackend is used in its AioContext only, and a drained
 * section is where that changes: move the coroutine after it.
 */
static inline void coroutine_fn td_co_move_to_aio_context_of(BlockBackend *blk)
{
#if TD_QEMU_VERSION < 90000
    AioContext *ctx = blk_get_aio_context(blk);

    if (ctx != qemu_get_current_aio_context()) {
        aio_co_reschedule_self(ctx);
    }
#endif
}

/* The lock that goes with it. */
#if TD_QEMU_VERSION < 90000
#define td_aio_context_acquire(ctx) aio_context_acquire(ctx)
#define td_aio_context_release(ctx) aio_context_release(ctx)
#else
#define td_aio_context_acquire(ctx) ((void)(ctx))
#define td_aio_context_release(ctx) ((void)(ctx))
#endif

/* A module may be made for a binary with the headers of another micro. */
#ifndef TRACEDISK_QEMU_VERSION
#define TRACEDISK_QEMU_VERSION QEMU_VERSION
#endif

#ifndef TRACEDISK_VERSION
#define TRACEDISK_VERSION "1.0"
#endif

#endif
