/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvscsi: a ring of requests and one of completions, a page each. No request
 * says its direction: one that says the wrong one never ends in QEMU 10.0, and
 * an assertion fails at the next reset, whatever the disk.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "hba.h"

#define REG_COMMAND 0x0
#define REG_COMMAND_DATA 0x4
#define REG_KICK 0x4018
#define COMMAND_RESET 1
#define COMMAND_SETUP_RINGS 3
#define SETUP_PAGES 32

#define PAGE 4096ull
#define STATE HBA_STRUCTURES
#define REQUESTS (STATE + PAGE)
#define COMPLETIONS (STATE + 2 * PAGE)
#define LIST (STATE + 3 * PAGE)
#define SENSE (STATE + 4 * PAGE)
#define REQUEST_BYTES 128
#define COMPLETION_BYTES 32

#define STATE_REQUEST_PRODUCER 0
#define STATE_COMPLETION_PRODUCER 12
#define STATE_COMPLETION_CONSUMER 16

#define WITH_LIST 1
#define HOST_GOOD 0
#define HOST_DATA_RUN 0x12          /* more or less than the list */

static void data32(Hba *h, uint32_t value)
{
    qpci_io_writel(h->pci, h->bar, REG_COMMAND_DATA, value);
}

static void data64(Hba *h, uint64_t value)
{
    data32(h, value);
    data32(h, value >> 32);
}

static void start(Hba *h)
{
    qpci_io_writel(h->pci, h->bar, REG_COMMAND, COMMAND_RESET);
    qtest_memset(h->qts, STATE, 0, 3 * PAGE);
    qpci_io_writel(h->pci, h->bar, REG_COMMAND, COMMAND_SETUP_RINGS);
    data32(h, 1);
    data32(h, 1);
    data64(h, STATE / PAGE);
    for (unsigned i = 0; i < 2 * SETUP_PAGES; i++) {
        data64(h, i == 0 ? REQUESTS / PAGE :
                  i == SETUP_PAGES ? COMPLETIONS / PAGE : 0);
    }
    h->at = 0;
}

static void put_list(Hba *h, const HbaCommand *c)
{
    uint8_t list[HBA_MAX_ELEMENTS * 16] = { 0 };

    for (unsigned i = 0; i < c->n; i++) {
        stq_le_p(list + i * 16, c->list[i].addr);
        stl_le_p(list + i * 16 + 8, c->list[i].bytes);
    }
    qtest_memwrite(h->qts, LIST, list, sizeof(list));
}

static int command(Hba *h, const HbaCommand *c)
{
    uint8_t request[REQUEST_BYTES] = { 0 };
    uint8_t completion[COMPLETION_BYTES];
    unsigned at = h->at++;
    int64_t since = 0;

    put_list(h, c);
    stq_le_p(request, at + 1);
    stq_le_p(request + 8, LIST);
    stq_le_p(request + 16, hba_list_bytes(c));
    stq_le_p(request + 24, SENSE);
    stl_le_p(request + 32, 96);
    stl_le_p(request + 36, WITH_LIST);
    memcpy(request + 40, c->cdb, 16);
    request[56] = c->cdb_len;
    qtest_memwrite(h->qts, REQUESTS + at * REQUEST_BYTES % PAGE, request,
                   sizeof(request));
    qtest_writel(h->qts, STATE + STATE_REQUEST_PRODUCER, h->at);
    qpci_io_writel(h->pci, h->bar, REG_KICK, 0);
    while (qtest_readl(h->qts, STATE + STATE_COMPLETION_PRODUCER) != h->at) {
        if (!hba_patience(&since)) {
            return HBA_LOST;
        }
    }
    qtest_memread(h->qts, COMPLETIONS + at * COMPLETION_BYTES % PAGE,
                  completion, sizeof(completion));
    qtest_writel(h->qts, STATE + STATE_COMPLETION_CONSUMER, h->at);
    g_assert_cmpuint(ldq_le_p(completion), ==, at + 1);
    switch (lduw_le_p(completion + 20)) {
    case HOST_GOOD:
    case HOST_DATA_RUN:
        return lduw_le_p(completion + 22);
    default:
        return HBA_FAILED;
    }
}

const HbaDriver hba_pvscsi = {
    .device = "pvscsi", .bar = 0, .max_addr = UINT64_MAX,
    .max_bytes = UINT32_MAX, .autosense = true,
    .start = start, .command = command,
};
