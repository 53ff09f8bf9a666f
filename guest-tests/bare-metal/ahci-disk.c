/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ATA disk on an AHCI HBA, for the load. */
#include "ahci.h"
#include "bugs.h"
#include "console.h"
#include "disk.h"
#include "memory.h"

static struct ahci_hba hba;
static struct ahci_port port;
static struct ata_identity identity;
static struct ahci_failure failure; /* the last one */
static bool queued;

static void prepare(unsigned slot, const struct disk_request *request)
{
    struct ahci_command command = {
        .write = request->write,
        .elements = request->elements,
        .n_elements = request->n_elements,
    };

    command.fis = queued ? ata_queued(request->write, request->lba, request->blocks, slot)
                         : ata_dma(request->write, request->lba, request->blocks);
    if (the_bug) {
        bug_spoil_command(&command, request->elements, slot);
    }
    ahci_prepare(&port, slot, &command);
}

static void issue(uint32_t slots)
{
    ahci_issue(&port, slots, queued);
}

static void poll(struct disk_events *events)
{
    *events = (struct disk_events){ .done = ahci_poll(&port) };
    if (port.failed) {
        ahci_recover(&port, &failure);
        events->again = failure.aborted;
        /* Which one failed may not be known: then it is slot 0's fault. */
        events->failed = 1u << (failure.slot_known ? failure.slot : 0);
        events->again &= ~events->failed;
    }
}

/* The HBA counts the bytes of commands that are not queued (PRDBC). */
static bool moved(unsigned slot, uint32_t bytes)
{
    return queued || ahci_bytes_moved(&port, slot) == bytes;
}

static void tell_failure(unsigned slot)
{
    print("slot %s%u failed: PxIS 0x%x, PxSERR 0x%x, status 0x%x, error 0x%x\n",
          failure.slot_known ? "" : "?", slot, failure.is, failure.serr,
          (uint32_t)failure.status, (uint32_t)failure.error);
}

static bool flush(void)
{
    struct ahci_command command = { .fis = ata_flush() };

    return ahci_execute(&port, &command);
}

static void close_disk(void)
{
    ahci_close_disk(&port);
}

static void reset_disk(void)
{
    ahci_reset_disk(&port);
}

static struct disk disk = {
    .model = identity.model,
    .max_element = AHCI_MAX_ELEMENT,
    .prepare = prepare,
    .issue = issue,
    .poll = poll,
    .moved = moved,
    .tell_failure = tell_failure,
    .flush = flush,
    .close = close_disk,
    .reset = reset_disk,
};

static void identify(void)
{
    uint16_t *words = memory_alloc(512, 512);
    struct disk_element page = { (uint64_t)words, 512 };
    struct ahci_command command = {
        .fis = ata_identify(), .elements = &page, .n_elements = 1,
    };

    if (!ahci_execute(&port, &command)) {
        die("IDENTIFY DEVICE failed");
    }
    ata_decode_identity(words, &identity);
}

const struct disk *ahci_disk_open(const struct disk_options *options)
{
    struct pci_device device;

    if (!pci_find_class(AHCI_PCI_CLASS, &device)) {
        return NULL;
    }
    queued = options->queued;
    ahci_open(&hba, device);
    if (!ahci_open_disk(&hba, &port, options->max_elements)) {
        die("the HBA has no disk");
    }
    identify();
    if (queued && (!hba.queued || !identity.queue_depth)) {
        die("ncq=1, and the %s has no NCQ", hba.queued ? "disk" : "HBA");
    }
    disk.blocks = identity.blocks;
    disk.block_size = identity.block_size;
    disk.depth = hba.slots;
    if (queued && identity.queue_depth < disk.depth) {
        disk.depth = identity.queue_depth;
    }
    return &disk;
}
