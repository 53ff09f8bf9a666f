/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci: a command: fetched, run, answered with FISes
 *
 * AHCI 1.3.1, section numbers in brackets. A command runs as a coroutine from
 * the doorbell's MMIO write on; with a fast enough drive it is complete when
 * the write returns.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ahci.h"

/* The header, the FIS and a first piece of the PRDT come in one read. */
#define FIRST_PRDS 8
#define PRDS_A_PIECE 256

static AddressSpace *bus(AhciPort *p)
{
    return pci_get_address_space(&p->hba->parent_obj);
}

/* ---- FISes ------------------------------------------------------------- */

static void put_lba(uint8_t *fis, uint64_t lba)
{
    fis[4] = lba;
    fis[5] = lba >> 8;
    fis[6] = lba >> 16;
    fis[8] = lba >> 24;
    fis[9] = lba >> 32;
    fis[10] = lba >> 40;
}

void ahci_d2h_fis(uint8_t *fis, const AtaTaskFile *tf, bool interrupt)
{
    memset(fis, 0, 20);
    fis[0] = FIS_D2H;
    fis[1] = interrupt ? FIS_I : 0;
    fis[2] = tf->status;
    fis[3] = tf->error;
    put_lba(fis, tf->lba);
    fis[7] = tf->device;
    fis[12] = tf->count;
    fis[13] = tf->count >> 8;
}

/* SATA 3.x 10.5.10; the one of the last DRQ block stays in memory. */
static void pio_setup_fis(uint8_t *fis, const AtaCommand *c, bool interrupt)
{
    ahci_d2h_fis(fis, &c->task_file, interrupt);
    fis[0] = FIS_PIO_SETUP;
    fis[1] |= c->data_in ? FIS_D : 0;
    fis[2] = ATA_DRDY | ATA_DSC | ATA_DRQ;
    fis[15] = c->task_file.status;      /* E_Status */
    stw_le_p(fis + 16, c->last_drq_bytes);
}

/* SATA 3.x 10.5.9; the tag stands for the buffer. */
static void dma_setup_fis(uint8_t *fis, const AtaCommand *c, uint8_t tag)
{
    memset(fis, 0, 28);
    fis[0] = FIS_DMA_SETUP;
    fis[1] = c->data_in ? FIS_D : 0;
    fis[4] = tag;
    stl_le_p(fis + 20, c->transfer.result.bytes);
}

/* SATA 3.x 10.5.7 */
static void set_device_bits_fis(uint8_t *fis, const AtaTaskFile *tf,
                                uint32_t sactive)
{
    fis[0] = FIS_SDB;
    fis[1] = FIS_I;
    fis[2] = tf->status & 0x77;
    fis[3] = tf->error;
    stl_le_p(fis + 4, sactive);
}

/* ---- Fetching ---------------------------------------------------------- */

static void fatal(AhciPort *p, uint32_t is_bits)
{
    p->fatal = true;
    ahci_port_raise(p, is_bits);
}

static void add_prd(AhciSlot *s, const uint8_t *prd)
{
    TdTransfer *t = &s->command.transfer;
    uint32_t dw3 = ldl_le_p(prd + 12);
    uint64_t addr = ldq_le_p(prd);
    uint32_t bytes = (dw3 & PRD_DBC) + 1;

    if (dw3 & PRD_I && s->first_interrupt == UINT32_MAX) {
        s->first_interrupt = t->n_elements;
    }
    if (unlikely(s->port->hba->strict)) {
        ahci_strict_prd(s, &addr, &bytes);
    }
    td_transfer_add_element(t, addr, bytes);
}

/* The rest of a long PRDT, a piece at a time. */
static MemTxResult fetch_prds(AhciSlot *s, uint64_t addr, uint32_t n)
{
    uint8_t prds[PRDS_A_PIECE * PRD_SIZE];
    MemTxResult result = MEMTX_OK;

    while (n && result == MEMTX_OK) {
        uint32_t piece = MIN(n, PRDS_A_PIECE);

        result = dma_memory_read(bus(s->port), addr, prds, piece * PRD_SIZE,
                                 MEMTXATTRS_UNSPECIFIED);
        for (uint32_t i = 0; i < piece && result == MEMTX_OK; i++) {
            add_prd(s, prds + i * PRD_SIZE);
        }
        addr += piece * PRD_SIZE;
        n -= piece;
    }
    return result;
}

/*
 * Fetch command header, FIS and PRDT of a slot [5.5.1]. Memory that cannot be
 * read is a host bus fatal error [6.1.2].
 */
static bool fetch(AhciSlot *s)
{
    AhciPort *p = s->port;
    AtaCommand *c = &s->command;
    uint8_t header[CMD_HEADER_SIZE];
    uint8_t table[CMD_TABLE_PRDT + FIRST_PRDS * PRD_SIZE];
    uint64_t ctba;
    uint32_t prdtl, first;

    td_transfer_reset(&c->transfer);
    s->first_interrupt = UINT32_MAX;
    s->odd_told = false;
    s->header_addr = p->clb + s->number * CMD_HEADER_SIZE;
    if (dma_memory_read(bus(p), s->header_addr, header, sizeof(header),
                        MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        goto bad_memory;
    }
    s->header = ldl_le_p(header);
    ctba = ldq_le_p(header + 8) & CMD_HEADER_CTBA_MASK;
    prdtl = s->header >> 16;
    first = MIN(prdtl, FIRST_PRDS);
    if (dma_memory_read(bus(p), ctba, table, CMD_TABLE_PRDT + first * PRD_SIZE,
                        MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        goto bad_memory;
    }
    memcpy(c->fis, table, sizeof(c->fis));
    for (uint32_t i = 0; i < first; i++) {
        add_prd(s, table + CMD_TABLE_PRDT + i * PRD_SIZE);
    }
    if (prdtl > first &&
        fetch_prds(s, ctba + sizeof(table), prdtl - first) != MEMTX_OK) {
        goto bad_memory;
    }
    return true;

bad_memory:
    td_recorder_guest_error(ahci_port_recorder(p), p->number, "slot %u: the "
                            "command list, table or PRDT is not in memory",
                            s->number);
    fatal(p, PX_IS_HBFS);
    return false;
}

/* ---- Completion -------------------------------------------------------- */

static void add_metadata(AhciSlot *s, struct td_metadata *list,
                         enum td_metadata_kind kind, uint64_t addr,
                         uint32_t len)
{
    TdTransfer *t = &s->command.transfer;

    list[t->result.n_metadata++] = (struct td_metadata) {
        .kind = kind, .addr = addr, .len = len,
    };
}

/* What finish_*() below is about to write, for the record before it. */
static void list_metadata(AhciSlot *s, struct td_metadata *list)
{
    AhciPort *p = s->port;
    AtaCommand *c = &s->command;
    bool fre = p->fis_area_valid;

    c->transfer.result.metadata = list;
    if (c->decoded.flags & TD_QUEUED) {
        if (fre && c->transfer.result.bytes) {
            add_metadata(s, list, TD_META_DMA_SETUP_FIS, p->fb + RFIS_DSFIS,
                         28);
        }
        if (fre) {
            add_metadata(s, list, TD_META_SDB_FIS, p->fb + RFIS_SDBFIS, 8);
        }
        return;
    }
    add_metadata(s, list, TD_META_PRDBC, s->header_addr + CMD_HEADER_PRDBC, 4);
    if (fre && c->drq_blocks) {
        add_metadata(s, list, TD_META_PIO_SETUP_FIS, p->fb + RFIS_PSFIS, 20);
    }
    if (fre) {
        add_metadata(s, list, TD_META_D2H_FIS, p->fb + RFIS_RFIS, 20);
    }
}

/* PxIS.DPS: data of a PRD with the I bit has moved [5.4.2]. */
static uint32_t descriptor_processed(const AhciSlot *s)
{
    const TdTransfer *t = &s->command.transfer;
    uint64_t moved = t->result.bytes;

    if (!s->port->hba->strict || s->first_interrupt >= t->n_elements) {
        return 0;
    }
    for (uint32_t i = 0; i <= s->first_interrupt; i++) {
        if (t->elements[i].len > moved) {
            return 0;
        }
        moved -= t->elements[i].len;
    }
    return PX_IS_DPS;
}

static uint32_t overflow(const AhciSlot *s)
{
    return s->command.transfer.result.flags & TD_LIST_SHORT ? PX_IS_OFS : 0;
}

static void raise_completion(AhciSlot *s, uint32_t is_bits)
{
    const TdFault *fault = &s->command.transfer.fault;

    if (unlikely(fault->what & TD_FAULT_INTERRUPT)) {
        ahci_port_raise_late(s->port, is_bits, fault->interrupt_ns);
    } else {
        ahci_port_raise(s->port, is_bits);
    }
}

/*
 * The disk has data that the list has no room for. PxIS.OFS says so, and only
 * a COMRESET cleans up: the command stays where it is, the disk busy [6.1.5].
 */
static bool is_stuck(const AhciSlot *s)
{
    return s->port->hba->strict && s->command.data_in && overflow(s);
}

static void get_stuck(AhciSlot *s)
{
    AhciPort *p = s->port;

    p->fatal = true;
    p->tfd |= ATA_BSY | ATA_DRQ;
    ahci_port_raise(p, PX_IS_OFS);
}

/*
 * With ERR in a FIS a port goes to ERR:FatalTaskfile, past the states that set
 * DHRS or SDBS [5.3]. We set them as well, with strict=on too: SeaBIOS 1.16
 * waits for DHRS alone, and asks every disk first what it refuses, IDENTIFY
 * PACKET DEVICE.
 */
static void finish_queued(AhciSlot *s)
{
    AhciPort *p = s->port;
    AtaCommand *c = &s->command;
    bool error = c->task_file.status & ATA_ERR;
    uint32_t bit = 1u << s->number;
    uint8_t fis[28];

    if (c->transfer.result.bytes) {
        dma_setup_fis(fis, c, s->number);
        ahci_port_put_fis(p, RFIS_DSFIS, fis, 28);
    }
    /* A failed command stays in PxSACT, for the driver to see [6.2.2.2]. */
    p->sact &= error ? ~0u : ~bit;
    set_device_bits_fis(fis, &c->task_file, error ? 0 : bit);
    ahci_port_put_fis(p, RFIS_SDBFIS, fis, 8);
    p->tfd = (p->tfd & (ATA_BSY | ATA_DRQ)) | c->task_file.status |
             c->task_file.error << 8;
    p->fatal |= error;
    raise_completion(s, PX_IS_SDBS | (error ? PX_IS_TFES : 0) |
                     descriptor_processed(s) | overflow(s));
}

static void finish_unqueued(AhciSlot *s)
{
    AhciPort *p = s->port;
    AtaCommand *c = &s->command;
    bool error = c->task_file.status & ATA_ERR;
    uint32_t is = descriptor_processed(s) | overflow(s);
    uint32_t prdbc = cpu_to_le32(c->transfer.result.bytes);
    uint8_t fis[20];

    td_dma_write(bus(p), s->header_addr + CMD_HEADER_PRDBC, &prdbc,
                 sizeof(prdbc));
    if (c->drq_blocks) {
        /* The first DRQ block of a write comes without interrupt. */
        bool interrupt = c->data_in || c->drq_blocks > 1;

        pio_setup_fis(fis, c, interrupt);
        ahci_port_put_fis(p, RFIS_PSFIS, fis, sizeof(fis));
        is |= interrupt ? PX_IS_PSS : 0;
    }
    /*
     * SATA sends no register FIS at the end of a good PIO data-in command;
     * QEMU's ahci always did, and drivers have come to expect it.
     */
    if (error || !p->hba->strict || !c->drq_blocks || !c->data_in) {
        ahci_d2h_fis(fis, &c->task_file, true);
        ahci_port_put_fis(p, RFIS_RFIS, fis, sizeof(fis));
        is |= PX_IS_DHRS;
    }
    p->tfd = c->task_file.status | c->task_file.error << 8;
    if (error) {
        /* PxCI and PxCMD.CCS keep naming the command [6.2.2.1]. */
        p->fatal = true;
        is |= PX_IS_TFES;
    } else {
        p->ci &= ~(1u << s->number);
    }
    raise_completion(s, is);
}

/*
 * After a queued command has failed the disk ends the others without telling
 * (ACS-3 4.14.2): they stay in PxSACT.
 */
static bool is_silent(const AhciSlot *s)
{
    return s->port->fatal && s->command.decoded.flags & TD_QUEUED;
}

/* A reset took the command, and has seen to the registers. */
static void end_aborted(AhciSlot *s)
{
    TdTransfer *t = &s->command.transfer;

    t->result.n_metadata = 0;
    td_transfer_end(t, TD_ABORTED);
    td_transfer_release(t);
}

static void coroutine_fn complete(AhciSlot *s)
{
    AhciPort *p = s->port;
    AtaCommand *c = &s->command;
    struct td_complete *result = &c->transfer.result;
    struct td_metadata metadata[TD_MAX_METADATA];
    bool stuck = is_stuck(s);
    bool error = c->task_file.status & ATA_ERR;

    if (c->aborted) {
        end_aborted(s);
        return;
    }
    if (is_silent(s)) {
        td_transfer_end(&c->transfer, TD_ABORTED);
        p->running &= ~(1u << s->number);
        td_transfer_release(&c->transfer);
        return;
    }
    result->has_ata = error;
    result->ata_status = c->task_file.status;
    result->ata_error = c->task_file.error;
    if (!stuck) {
        list_metadata(s, metadata);
    }
    if (td_transfer_co_keep(&c->transfer) < 0 ||
        td_transfer_co_watch(&c->transfer, c->decoded.name) < 0) {
        end_aborted(s);
        return;
    }
    td_transfer_end(&c->transfer, error || stuck ? TD_ERROR : TD_GOOD);
    p->running &= ~(1u << s->number);
    if (unlikely(stuck)) {
        get_stuck(s);
    } else if (c->decoded.flags & TD_QUEUED) {
        finish_queued(s);
    } else {
        finish_unqueued(s);
    }
    td_transfer_release(&c->transfer);
    ahci_port_issue(p);
}

/* -ECANCELED: a reset came, the plan's own or another. */
static int coroutine_fn meet_fault_plan(AhciSlot *s)
{
    TdTransfer *t = &s->command.transfer;
    TdFaultSubject subject = {
        .port = s->port->number, .tag = s->number,
        .decoded = &s->command.decoded,
    };
    int ret = td_transfer_co_fault(t, &subject);

    if (ret == 0 && unlikely(t->fault.what & TD_FAULT_LINK)) {
        qemu_bh_schedule(s->port->link_bh);
        td_transfer_co_wait_for_reset(t);
        return -ECANCELED;
    }
    return ret;
}

static void coroutine_fn run(void *opaque)
{
    AhciSlot *s = opaque;

    if (meet_fault_plan(s) < 0 ||
        td_transfer_co_start(&s->command.transfer) < 0) {
        s->command.aborted = true;
    } else {
        ata_command_co_run(&s->command);
    }
    complete(s);
}

/* ---- Issue ------------------------------------------------------------- */

/* The disk forgets what it had; PxSACT goes on naming it [10.4.1]. */
static void soft_reset_begin(AhciPort *p)
{
    p->ata.soft_reset = true;
    if (p->running) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "software reset with commands in flight "
                                "(slots 0x%08" PRIx32 ")", p->running);
        td_disk_cancel_all(&p->ata.disk);
        p->ci &= ~p->running;
        p->running = 0;
    }
}

/*
 * A FIS with the C bit clear writes the Device Control register: SRST set,
 * then clear, resets the disk [10.4.1]. Nothing is answered to the first.
 * False when it has to wait.
 */
static bool device_control(AhciSlot *s)
{
    AhciPort *p = s->port;
    bool srst = s->command.fis[FIS_H2D_CONTROL] & CONTROL_SRST;

    if (srst && p->running && qemu_in_coroutine()) {
        /* Another command's end brought us here: no place to cancel from. */
        return false;
    }
    p->ci &= ~(1u << s->number);
    if (srst) {
        soft_reset_begin(p);
    } else if (p->ata.soft_reset) {
        td_recorder_port_event(ahci_port_recorder(p), TD_EVENT_RESET, p->number,
                               "software");
        ata_device_reset(&p->ata, false);
        ahci_port_send_signature(p);
    }
    return true;
}

static void begin(AhciSlot *s)
{
    AhciPort *p = s->port;
    AtaCommand *c = &s->command;
    struct td_submit submit = {
        .protocol = TD_ATA, .port = p->number, .tag = s->number,
        .raw = c->fis, .raw_len = sizeof(c->fis),
    };

    p->running |= 1u << s->number;
    c->data_in = c->data_out = c->aborted = false;
    c->drq_blocks = c->last_drq_bytes = 0;
    if (c->decoded.flags & TD_QUEUED) {
        /* The disk releases the bus at once; PxCI follows [5.6.4.1]. */
        p->ci &= ~(1u << s->number);
        if (c->decoded.queued_tag != s->number) {
            td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                    "slot %u: NCQ tag %" PRIu32 " differs",
                                    s->number, c->decoded.queued_tag);
        }
    } else {
        p->tfd |= ATA_BSY;
    }
    p->cmd = deposit32(p->cmd, PX_CMD_CCS_SHIFT, 5, s->number);
    td_transfer_begin(&c->transfer, &submit);
    qemu_coroutine_enter(qemu_coroutine_create(run, s));
}

/*
 * Queued and other commands do not mix (ACS-3 4.14.1): the later ones wait, or
 * with strict=on end in error, and the queued ones with them.
 */
static bool must_wait(AhciPort *p, bool queued)
{
    uint32_t running = p->running;
    bool running_queued;

    if (!running) {
        return false;
    }
    running_queued =
        p->slot[ctz32(running)].command.decoded.flags & TD_QUEUED;
    if (queued != running_queued) {
        td_recorder_guest_error(ahci_port_recorder(p), p->number,
                                "queued and other commands are mixed (slots "
                                "0x%08" PRIx32 " in flight)", running);
    }
    return !queued || !running_queued;
}

static bool is_bad_fis(AhciSlot *s)
{
    if (s->command.fis[0] == FIS_H2D) {
        return s->port->hba->strict && ahci_strict_refuses(s);
    }
    td_recorder_guest_error(ahci_port_recorder(s->port), s->port->number,
                            "slot %u: FIS type 0x%02x is not Register "
                            "Host to Device", s->number, s->command.fis[0]);
    return true;
}

/* One slot of PxCI; false when nothing more can be issued now. */
static bool issue_slot(AhciPort *p, unsigned number)
{
    AhciSlot *s = &p->slot[number];
    bool queued;

    if (!fetch(s)) {
        return false;
    }
    if (is_bad_fis(s)) {
        p->serr |= PX_SERR_ERR_P;
        fatal(p, PX_IS_IFS);
        return false;
    }
    if (!(s->command.fis[1] & FIS_H2D_C)) {
        return device_control(s);
    }
    td_decode(TD_ATA, s->command.fis, ATA_FIS_LEN, &s->command.decoded);
    queued = s->command.decoded.flags & TD_QUEUED;
    s->command.refused = false;
    if (must_wait(p, queued)) {
        /* While the disk is busy no command reaches it [5.3.6]. */
        s->command.refused = p->hba->strict && !queued &&
                             !(p->tfd & (ATA_BSY | ATA_DRQ));
        if (!s->command.refused) {
            return false;
        }
    }
    begin(s);
    return true;
}

void ahci_port_issue(AhciPort *p)
{
    uint32_t waiting;

    if (p->issuing) {
        return;                 /* a command that completed at once */
    }
    p->issuing = true;
    /*
     * While the VM is stopped its state may be on its way elsewhere: what
     * waits then is started by ahci_port_restart().
     */
    while ((waiting = p->ci & ~p->running) && p->cmd & PX_CMD_CR &&
           !p->cr_until && p->ssts == PX_SSTS_UP && !p->fatal &&
           runstate_is_running()) {
        /* Slots are served in turn, from the one after the last [5.3.10]. */
        unsigned last = extract32(p->cmd, PX_CMD_CCS_SHIFT, 5);
        uint32_t after = waiting & ~MAKE_64BIT_MASK(0, last + 1);

        if (!issue_slot(p, ctz32(after ?: waiting))) {
            break;
        }
    }
    p->issuing = false;
}

void ahci_port_restart(AhciPort *p)
{
    uint32_t restart = p->restart;

    p->restart = 0;
    p->ci |= restart;
    p->tfd &= ~(restart ? ATA_BSY : 0);
    ahci_port_issue(p);
}

void ahci_slot_init(AhciPort *p, unsigned number)
{
    AhciSlot *s = &p->slot[number];

    s->port = p;
    s->number = number;
    s->command.device = &p->ata;
    td_transfer_init(&s->command.transfer, &p->ata.disk, bus(p));
}
