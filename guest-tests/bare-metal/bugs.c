/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Planted bugs: their names, and those that spoil a command. */
#include "bugs.h"

#include "ahci.h"
#include "console.h"

enum bug the_bug;

static const struct {
    const char *name;
    enum bug bug;
} bugs[] = {
    { "element-off-by-a-page", BUG_ELEMENT_OFF_BY_A_PAGE },
    { "list-short", BUG_LIST_SHORT },
    { "list-long", BUG_LIST_LONG },
    { "stale-element", BUG_STALE_ELEMENT },
    { "shared-memory", BUG_SHARED_MEMORY },
    { "odd-length", BUG_ODD_LENGTH },
    { "odd-address", BUG_ODD_ADDRESS },
    { "wild-address", BUG_WILD_ADDRESS },
    { "truncated-address", BUG_TRUNCATED_ADDRESS },
    { "overlapping-elements", BUG_OVERLAPPING_ELEMENTS },
    { "tag-reused", BUG_TAG_REUSED },
    { "queue-mixed", BUG_QUEUE_MIXED },
    { "beyond-end", BUG_BEYOND_END },
    { "bad-fis", BUG_BAD_FIS },
    { "buffer-changed", BUG_BUFFER_CHANGED },
    { "missing-flush", BUG_MISSING_FLUSH },
    { "read-unwritten", BUG_READ_UNWRITTEN },
    { "retry-storm", BUG_RETRY_STORM },
    { "stop-in-flight", BUG_STOP_IN_FLIGHT },
    { "reset-in-flight", BUG_RESET_IN_FLIGHT },
    { "exit-in-flight", BUG_EXIT_IN_FLIGHT },
    { "completion-by-ci", BUG_COMPLETION_BY_CI },
    { "interrupt-order", BUG_INTERRUPT_ORDER },
    { "start-early", BUG_START_EARLY },
    { "no-list", BUG_NO_LIST },
    { "stop-order", BUG_STOP_ORDER },
    { "issue-stopped", BUG_ISSUE_STOPPED },
    { "wild-table", BUG_WILD_TABLE },
    { "narrow-register", BUG_NARROW_REGISTER },
    { "short-comreset", BUG_SHORT_COMRESET },
};

/* The word at s, up to a space or the end. */
static bool is_name(const char *s, const char *name)
{
    while (*name && *s == *name) {
        s++;
        name++;
    }
    return !*name && (!*s || *s == ' ');
}

void bug_plant(const char *name)
{
    for (unsigned i = 0; i < sizeof(bugs) / sizeof(*bugs); i++) {
        if (is_name(name, bugs[i].name)) {
            the_bug = bugs[i].bug;
            return;
        }
    }
    print("bugs:");
    for (unsigned i = 0; i < sizeof(bugs) / sizeof(*bugs); i++) {
        print(" %s", bugs[i].name);
    }
    print("\n");
    die("no such bug: %s", name);
}

/* Blocks asked for, away from what the list holds. */
static void add_blocks(struct ata_fis *fis, int n)
{
    if (ata_is_queued(fis)) {
        fis->features = (uint8_t)(fis->features + n);
    } else {
        fis->count = (uint8_t)(fis->count + n);
    }
}

/* The driver forgot to write the last element: it is another command's. */
static void leave_element(struct disk_element *last)
{
    static struct disk_element previous;
    struct disk_element right = *last;

    if (previous.len == last->len) {
        *last = previous;
    }
    previous = right;
}

/* All commands get the memory of the first. */
static void share_memory(struct disk_element *element)
{
    static uint64_t first;

    if (!first) {
        first = element->addr;
    }
    element->addr = first;
}

void bug_spoil_command(struct ahci_command *command,
                       struct disk_element *elements, unsigned slot)
{
    struct ata_fis *fis = &command->fis;
    struct disk_element *last = &elements[command->n_elements - 1];

    switch (the_bug) {
    case BUG_ELEMENT_OFF_BY_A_PAGE: /* into the next slot's buffer */
        if (slot & 1) {
            last->addr += 4096;
        }
        break;
    case BUG_LIST_SHORT:
        add_blocks(fis, 1);
        break;
    case BUG_LIST_LONG:
        add_blocks(fis, -1);
        break;
    case BUG_STALE_ELEMENT:
        leave_element(last);
        break;
    case BUG_SHARED_MEMORY:
        share_memory(&elements[0]);
        break;
    case BUG_ODD_LENGTH: /* DBC counts from 0, and the -1 was forgotten */
        last->len++;
        break;
    case BUG_ODD_ADDRESS:
        elements[0].addr++;
        break;
    case BUG_WILD_ADDRESS: /* the upper half was never set */
        elements[0].addr |= 1ull << 40;
        break;
    case BUG_TRUNCATED_ADDRESS: /* memory from 0x1e0000000 on, as 32 bits */
        elements[0].addr = (uint32_t)(0x1e0000000u + elements[0].addr);
        break;
    case BUG_OVERLAPPING_ELEMENTS:
        last->addr = elements[0].addr;
        break;
    case BUG_TAG_REUSED:
        if (ata_is_queued(fis)) {
            fis->count = (uint8_t)((slot & ~1u) << 3);
        }
        break;
    case BUG_QUEUE_MIXED:
        if (slot == 1) {
            *fis = ata_dma(command->write, ata_lba(fis), fis->features);
        }
        break;
    case BUG_BEYOND_END:
        fis->lba_high[2] = 0xff;
        break;
    case BUG_BAD_FIS:
        fis->type = 0;
        break;
    default:
        break;
    }
}
