/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci: a port: registers, start and stop, resets, interrupts
 *
 * AHCI 1.3.1, section numbers in brackets.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ahci.h"

#define FIS_AREA_SIZE 256

/* ---- Interrupts -------------------------------------------------------- */

/* PxIS bits that mirror PxSERR and are cleared there [3.3.5]. */
static uint32_t derived_is(const AhciPort *p)
{
    return (p->serr & PX_SERR_DIAG_X ? PX_IS_PCS : 0) |
           (p->serr & PX_SERR_DIAG_N ? PX_IS_PRCS : 0) |
           (p->serr & PX_SERR_DIAG_F ? PX_IS_UFS : 0);
}

static void update_is(AhciPort *p)
{
    p->is = (p->is & ~PX_IS_DERIVED) | derived_is(p);
    ahci_update_interrupt(p->hba);
}

void ahci_port_raise(AhciPort *p, uint32_t is_bits)
{
    p->is |= is_bits;
    p->interrupt_held = false;
    ahci_update_interrupt(p->hba);
}

void ahci_port_raise_late(AhciPort *p, uint32_t is_bits, uint64_t ns)
{
    p->is |= is_bits;
    p->interrupt_held = true;
    if (ns) {
        timer_mod(p->interrupt_timer,
                  qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns);
    }
}

static void interrupt_comes(void *opaque)
{
    AhciPort *p = opaque;

    p->interrupt_held = false;
    ahci_update_interrupt(p->hba);
}

/* ---- The received-FIS area --------------------------------------------- */

static void unmap_fis_area(AhciPort *p)
{
    if (p->fis_area_valid) {
        address_space_cache_destroy(&p->fis_area);
        p->fis_area_valid = false;
    }
}

static void map_fis_area(AhciPort *p)
{
    int64_t len;

    unmap_fis_area(p);
    RCU_READ_LOCK_GUARD();
    len = address_space_cache_init(&p->fis_area,
                                   pci_get_address_space(&p->hba->parent_obj),
                                   p->fb, FIS_AREA_SIZE, true);
    /* Without ptr it is a device: our FISes could come back as our registers */
    if (len < FIS_AREA_SIZE || !p->fis_area.ptr) {
        if (len > 0) {
            address_space_cache_destroy(&p->fis_area);
        }
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxFB 0x%" PRIx64 " is not memory", p->fb);
        return;
    }
    p->fis_area_valid = true;
}

bool ahci_port_put_fis(AhciPort *p, unsigned offset, const uint8_t *fis,
                       unsigned len)
{
    if (!(p->cmd & PX_CMD_FRE) || !p->fis_area_valid) {
        return false;
    }
    address_space_write_cached(&p->fis_area, offset, fis, len);
    return true;
}

/* ---- Start, stop, reset ------------------------------------------------ */

static void record_port(AhciPort *p, const char *text)
{
    td_recorder_port_event(ahci_port_recorder(p), TD_EVENT_PORT, p->number,
                           text);
}

static void record_reset(AhciPort *p, const char *text)
{
    td_recorder_port_event(ahci_port_recorder(p), TD_EVENT_RESET, p->number,
                           text);
}

void ahci_port_send_signature(AhciPort *p)
{
    AtaTaskFile tf = ata_device_signature();
    uint8_t fis[20];

    if (p->hba->strict && p->serr & PX_SERR_DIAG_X) {
        /* Until the driver has seen the exchange, no FIS is taken [5.3.2.3] */
        p->signature_pending = true;
        p->tfd = ATA_BSY;
        return;
    }
    p->tfd = tf.status | tf.error << 8;
    p->sig = PX_SIG_DISK;
    ahci_d2h_fis(fis, &tf, false);
    p->signature_pending = !ahci_port_put_fis(p, RFIS_RFIS, fis, sizeof(fis));
    if (!p->signature_pending) {
        struct td_event event = {
            .type = TD_EVENT_FIS, .port = p->number, .addr = p->fb + RFIS_RFIS,
            .has = TD_HAS_PORT | TD_HAS_ADDR | TD_HAS_DATA | TD_HAS_TEXT,
            .data = fis, .data_len = sizeof(fis), .text = "d2h-fis",
        };

        td_recorder_event(ahci_port_recorder(p), &event);
    }
    ahci_port_start(p);
}

/* End all commands; none of them reaches the guest or its memory any more. */
static void abandon_commands(AhciPort *p)
{
    if (p->present) {
        td_disk_cancel_all(&p->ata.disk);
    }
    p->running = 0;
    p->restart = 0;
    p->fatal = false;
    p->ci = 0;
    p->sact = 0;
    p->cmd &= ~PX_CMD_CCS;
}

static void set_registers_to_reset(AhciPort *p)
{
    p->is = p->ie = p->serr = p->sctl = 0;
    p->interrupt_held = false;
    p->cr_until = p->fr_until = 0;
    timer_del(p->link_timer);
    p->cmd = PX_CMD_SUD | PX_CMD_POD;
    p->tfd = PX_TFD_RESET;
    p->sig = PX_SIG_RESET;
    p->ssts = p->present ? PX_SSTS_UP : 0;
    p->signature_pending = p->present;
}

void ahci_port_reset(AhciPort *p)
{
    abandon_commands(p);
    unmap_fis_area(p);
    if (p->present) {
        record_reset(p, "hba");
        ata_device_reset(&p->ata, true);
    }
    /* HBA reset leaves PxCLB and PxFB alone [10.4.3]; power-on does not. */
    set_registers_to_reset(p);
}

void ahci_port_link_up(AhciPort *p)
{
    p->ssts = PX_SSTS_UP;
    p->serr |= PX_SERR_DIAG_X;
    p->interrupt_held = false;
    ahci_port_send_signature(p);
    update_is(p);
}

static void link_comes_up(void *opaque)
{
    ahci_port_link_up(opaque);
}

/* PxSCTL.DET 1 -> 0 ends a COMRESET [10.4.2]. */
static void comreset(AhciPort *p)
{
    if (p->hba->strict && !ahci_strict_comreset_end(p)) {
        return;
    }
    record_reset(p, "comreset");
    ata_device_reset(&p->ata, true);
    if (p->hba->strict) {
        ahci_strict_link_later(p);
    } else {
        ahci_port_link_up(p);
    }
}

/*
 * A fault plan takes the link away, and it comes back with a COMINIT: the disk
 * is reset and knows of no command, PxCI and PxSACT stay until the driver has
 * cleared PxCMD.ST, and runs no further command until then [5.3.8, 10.4.2].
 */
static void lose_link(void *opaque)
{
    AhciPort *p = opaque;

    record_port(p, "link-down");
    td_disk_cancel_all(&p->ata.disk);
    p->running = 0;
    p->restart = 0;
    p->fatal = p->cmd & PX_CMD_ST;
    ata_device_reset(&p->ata, true);
    p->serr |= PX_SERR_DIAG_N | PX_SERR_DIAG_X;
    p->interrupt_held = false;
    record_port(p, "link-up");
    ahci_port_send_signature(p);
    update_is(p);
}

void ahci_port_init(AhciPort *p)
{
    p->link_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, link_comes_up, p);
    p->interrupt_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, interrupt_comes, p);
    p->link_bh = qemu_bh_new(lose_link, p);
}

void ahci_port_free(AhciPort *p)
{
    if (p->hba) {
        timer_free(p->link_timer);
        timer_free(p->interrupt_timer);
        qemu_bh_delete(p->link_bh);
    }
    unmap_fis_area(p);
    for (unsigned i = 0; i < AHCI_SLOTS; i++) {
        td_transfer_destroy(&p->slot[i].command.transfer);
    }
    g_free(p->serial);
}

static void write_sctl(AhciPort *p, uint32_t value)
{
    uint32_t was = p->sctl & PX_SCTL_DET;
    uint32_t now = value & PX_SCTL_DET;

    if (now != was && p->cmd & PX_CMD_ST) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxSCTL.DET changed while PxCMD.ST is set");
    }
    p->sctl = value & PX_SCTL_WRITABLE;
    if (!p->present || now == was) {
        return;
    }
    if (now == 1 || now == 4) {
        /* COMRESET goes on, or the PHY is off line, until DET is 0 again. */
        abandon_commands(p);
        p->ssts = now == 4 ? 4 : 0;
        p->tfd = PX_TFD_RESET;
        if (now == 1) {
            ahci_strict_comreset_begin(p);
        }
    } else if (now == 0) {
        comreset(p);
    }
}

const char *ahci_port_not_ready(const AhciPort *p)
{
    return !(p->cmd & PX_CMD_FRE) ? "PxCMD.FRE is clear" :
           p->ssts != PX_SSTS_UP ? "the link is down" :
           p->tfd & (ATA_BSY | ATA_DRQ) ? "the disk is busy" : NULL;
}

static void start_engine(AhciPort *p)
{
    record_port(p, "start");
    p->cmd |= PX_CMD_CR;
}

void ahci_port_start(AhciPort *p)
{
    if (p->hba->strict && p->cmd & PX_CMD_ST && !(p->cmd & PX_CMD_CR) &&
        !ahci_port_not_ready(p)) {
        start_engine(p);
        ahci_port_issue(p);
    }
}

static void start(AhciPort *p)
{
    if (!(p->cmd & PX_CMD_FRE)) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxCMD.ST set without PxCMD.FRE");
    }
    if (!p->clb) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxCMD.ST set before PxCLB");
    }
    if (p->tfd & (ATA_BSY | ATA_DRQ)) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxCMD.ST set while the disk is busy");
    }
    if (p->cr_until) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxCMD.ST set while PxCMD.CR is set");
    } else if (!p->hba->strict) {
        start_engine(p);
    }
}

static void stop(AhciPort *p)
{
    record_port(p, "stop");
    if (p->running) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "PxCMD.ST cleared with commands in flight "
                                "(slots 0x%08" PRIx32 ")", p->running);
    }
    abandon_commands(p);
    if (p->hba->strict) {
        /* What the disk was at it still is: that takes PxCMD.CLO [3.3.7]. */
        ahci_strict_stopping(p);
        return;
    }
    p->tfd &= ~(ATA_BSY | ATA_DRQ);
    p->cmd &= ~PX_CMD_CR;
}

static void write_cmd(AhciPort *p, uint32_t value)
{
    uint32_t was = p->cmd;
    uint32_t on, off;

    p->cmd = (was & ~PX_CMD_WRITABLE) | (value & PX_CMD_WRITABLE);
    on = p->cmd & ~was;
    off = was & ~p->cmd;
    if (off & PX_CMD_ST) {
        stop(p);
    }
    if (value & PX_CMD_CLO) {
        /* Takes effect while ST is clear, and reads 0 at once [3.3.7]. */
        if (p->cmd & PX_CMD_ST) {
            td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                    "PxCMD.CLO set while PxCMD.ST is set");
        } else {
            p->tfd &= ~(ATA_BSY | ATA_DRQ);
        }
    }
    if (on & PX_CMD_FRE) {
        record_port(p, "fis-receive");
        p->cmd |= PX_CMD_FR;
        map_fis_area(p);
        if (p->signature_pending && p->ssts == PX_SSTS_UP) {
            ahci_port_send_signature(p);
        }
    }
    if (off & PX_CMD_FRE) {
        if (p->cmd & PX_CMD_ST) {
            td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                    "PxCMD.FRE cleared while PxCMD.ST is set");
        }
        record_port(p, "fis-receive-stop");
        if (p->hba->strict) {
            ahci_strict_fis_stopping(p);
        } else {
            p->cmd &= ~PX_CMD_FR;
        }
        unmap_fis_area(p);
    }
    if (on & PX_CMD_ST) {
        start(p);
        ahci_port_issue(p);
    }
    ahci_port_start(p);
}

/* ---- Registers --------------------------------------------------------- */

uint32_t ahci_port_read(AhciPort *p, hwaddr offset)
{
    if (unlikely(p->hba->strict)) {
        ahci_strict_settle(p);
    }
    switch (offset) {
    case PX_CLB:  return p->clb;
    case PX_CLBU: return p->clb >> 32;
    case PX_FB:   return p->fb;
    case PX_FBU:  return p->fb >> 32;
    case PX_IS:   return p->is;
    case PX_IE:   return p->ie;
    case PX_CMD:  return p->cmd;
    case PX_TFD:  return p->tfd;
    case PX_SIG:  return p->sig;
    case PX_SSTS: return p->ssts;
    case PX_SCTL: return p->sctl;
    case PX_SERR: return p->serr;
    case PX_SACT: return p->sact;
    case PX_CI:   return p->ci;
    default:      return 0;     /* PxSNTF, PxFBS: no port multiplier */
    }
}

/* False when the port holds the pointer, and does not look at a new one. */
static bool may_write(AhciPort *p, uint32_t running, const char *what)
{
    if (p->cmd & running) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "%s written while the port uses it", what);
    }
    return !(p->cmd & running && p->hba->strict);
}

/* Who rings for these slots, which may have to wait before they are issued. */
static void note_origins(AhciPort *p, uint32_t slots)
{
    TdTransfer *first = NULL;

    if (likely(!p->ata.disk.origins)) {
        return;
    }
    for (slots &= ~p->running; slots; slots &= slots - 1) {
        TdTransfer *t = &p->slot[ctz32(slots)].command.transfer;

        if (first) {
            td_transfer_same_origin(t, first);
        } else {
            td_transfer_note_origin(t);
            first = t;
        }
    }
}

void ahci_port_write(AhciPort *p, hwaddr offset, uint32_t value)
{
    if (unlikely(p->hba->strict)) {
        ahci_strict_settle(p);
    }
    switch (offset) {
    case PX_CLB:
        if (may_write(p, PX_CMD_CR, "PxCLB")) {
            p->clb = deposit64(p->clb, 0, 32, value & ~(CLB_ALIGN - 1));
        }
        break;
    case PX_CLBU:
        if (may_write(p, PX_CMD_CR, "PxCLBU")) {
            p->clb = deposit64(p->clb, 32, 32, value);
        }
        break;
    case PX_FB:
        if (may_write(p, PX_CMD_FR, "PxFB")) {
            p->fb = deposit64(p->fb, 0, 32, value & ~(FB_ALIGN - 1));
        }
        break;
    case PX_FBU:
        if (may_write(p, PX_CMD_FR, "PxFBU")) {
            p->fb = deposit64(p->fb, 32, 32, value);
        }
        break;
    case PX_IS:
        p->is &= ~value | PX_IS_DERIVED;
        ahci_update_interrupt(p->hba);
        break;
    case PX_IE:
        p->ie = value & PX_IE_MASK;
        ahci_update_interrupt(p->hba);
        break;
    case PX_CMD:
        write_cmd(p, value);
        break;
    case PX_SCTL:
        write_sctl(p, value);
        break;
    case PX_SERR:
        p->serr &= ~value;
        update_is(p);
        if (p->signature_pending && p->ssts == PX_SSTS_UP && p->hba->strict) {
            ahci_port_send_signature(p);
        }
        break;
    case PX_SACT:
        if (p->cmd & PX_CMD_ST) {
            p->sact |= value;
        }
        break;
    case PX_CI:
        if (!value) {
            break;              /* no command; GRUB does it while stopped */
        }
        if (!(p->cmd & PX_CMD_ST)) {
            td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                    "PxCI written while PxCMD.ST is clear");
        } else if (p->present) {
            /* Queued commands have given their bits back. */
            uint32_t again = value & p->running & ~p->ci;

            if (again) {
                td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                        "slots 0x%08" PRIx32 " issued again "
                                        "while in flight", again);
            }
            note_origins(p, value & ~p->ci);
            p->ci |= value;
            ahci_port_issue(p);
        }
        break;
    default:
        break;                  /* read-only or reserved */
    }
}

/* ---- Migration --------------------------------------------------------- */

void ahci_port_post_load(AhciPort *p)
{
    if (p->cmd & PX_CMD_FRE && p->present) {
        map_fis_area(p);
    } else {
        unmap_fis_area(p);
    }
    /* Commands that were stopped by an I/O error start over from memory. */
    p->restart = p->running;
    p->running = 0;
    for (unsigned i = 0; i < AHCI_SLOTS; i++) {
        td_transfer_forget_origin(&p->slot[i].command.transfer);
    }
    if (p->present) {
        td_recorder_port_event(ahci_port_recorder(p), TD_EVENT_LOADVM,
                               p->number, "state loaded");
    }
}

const VMStateDescription vmstate_ahci_port = {
    .name = "tracedisk-ahci/port",
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_STRUCT(ata, AhciPort, 1, vmstate_ata_device, AtaDevice),
        VMSTATE_UINT64(clb, AhciPort),
        VMSTATE_UINT64(fb, AhciPort),
        VMSTATE_UINT32(is, AhciPort),
        VMSTATE_UINT32(ie, AhciPort),
        VMSTATE_UINT32(cmd, AhciPort),
        VMSTATE_UINT32(tfd, AhciPort),
        VMSTATE_UINT32(sig, AhciPort),
        VMSTATE_UINT32(ssts, AhciPort),
        VMSTATE_UINT32(sctl, AhciPort),
        VMSTATE_UINT32(serr, AhciPort),
        VMSTATE_UINT32(sact, AhciPort),
        VMSTATE_UINT32(ci, AhciPort),
        VMSTATE_UINT32(running, AhciPort),
        VMSTATE_BOOL(fatal, AhciPort),
        VMSTATE_BOOL(signature_pending, AhciPort),
        VMSTATE_INT64(cr_until, AhciPort),
        VMSTATE_INT64(fr_until, AhciPort),
        VMSTATE_INT64(comreset_since, AhciPort),
        VMSTATE_TIMER_PTR(link_timer, AhciPort),
        VMSTATE_END_OF_LIST()
    },
};
