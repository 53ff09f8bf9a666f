/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks are read as they were written: SBC-3 5.11-5.14, 5.33-5.36.
 */
#include "suite.h"

static const uint8_t reads[] = { 0x08, 0x28, 0xa8, 0x88 };
static const uint8_t writes[] = {
    0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e, 0x9c
};

static bool is_here(TdScsi *hba, uint8_t opcode)
{
    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        if (scsi_commands[i].opcode == opcode) {
            return has_command(hba, &scsi_commands[i]);
        }
    }
    return false;
}

static void check_all_lengths(TdScsi *hba)
{
    uint32_t bytes = 3 * td_scsi_block_size(hba);
    g_autofree uint8_t *data = g_malloc(bytes), *found = g_malloc(bytes);

    for (unsigned w = 0; w < ARRAY_SIZE(writes); w++) {
        /* The last blocks: every byte of a short LBA is in use. */
        uint64_t lba = td_scsi_blocks(hba) - 3 * (w + 1);

        if (!is_here(hba, writes[w])) {
            continue;
        }
        td_pattern(data, bytes, 10 + w);
        if (writes[w] == 0x9c) {        /* its length is elsewhere */
            TdCdb cdb = td_cdb_blocks(0x9c, lba, 0);

            stw_be_p(cdb.b + 12, 3);
            td_scsi_expect_good(td_scsi_out(hba, cdb, data, bytes), 0);
        } else {
            td_scsi_expect_good(td_scsi_out(hba, td_cdb_blocks(writes[w], lba,
                                                               3),
                                            data, bytes), 0);
        }
        for (unsigned r = 0; r < ARRAY_SIZE(reads); r++) {
            td_scsi_expect_good(td_scsi_in(hba, td_cdb_blocks(reads[r], lba,
                                                              3),
                                           found, bytes), 0);
            td_expect_mem(found, data, bytes);
        }
    }
    /* Nothing else was written. */
    expect_medium(hba, 0, 8, 0);
    expect_medium(hba, td_scsi_blocks(hba) - 3 * ARRAY_SIZE(writes) - 4, 4,
                  0);
}

/* DPO and FUA: "may" and "shall", and the data is the same. */
static void check_cache_bits(TdScsi *hba)
{
    uint32_t bytes = td_scsi_block_size(hba);
    uint8_t data[4096], found[4096];

    for (unsigned bits = 0; bits <= 0x18; bits += 0x08) {
        for (unsigned i = 1; i < 4; i++) {
            TdCdb cdb = td_cdb_blocks(writes[i], i, 1);

            td_pattern(data, bytes, bits + i);
            cdb.b[1] |= bits;
            td_scsi_expect_good(td_scsi_out(hba, cdb, data, bytes), 0);
            cdb = td_cdb_blocks(reads[i], i, 1);
            cdb.b[1] |= bits;
            td_scsi_expect_good(td_scsi_in(hba, cdb, found, bytes), 0);
            td_expect_mem(found, data, bytes);
        }
    }
}

#define MANY 100

/* A list as long as the queue has room for, of pieces in reverse order. */
static void test_many_elements(void)
{
    TdScsi *hba = td_scsi_start("");
    TdMemory list[MANY];
    uint32_t bytes = MANY * 512;
    uint64_t base = guest_alloc(hba->alloc, MANY * 1024);
    g_autofree uint8_t *data = g_malloc(bytes), *found = g_malloc(bytes);
    TdCdb cdb = td_cdb_blocks(0x2a, 0, MANY);

    td_pattern(data, bytes, 5);
    for (unsigned i = 0; i < MANY; i++) {
        list[i] = (TdMemory) { base + (MANY - 1 - i) * 1024, 512 };
        qtest_memwrite(hba->qts, list[i].addr, data + i * 512, 512);
    }
    td_scsi_expect_good(td_scsi_io(hba, &cdb, list, MANY, NULL, 0), 0);
    td_scsi_read(hba, 0, found, bytes);
    td_expect_mem(found, data, bytes);
    qtest_memset(hba->qts, base, 0, MANY * 1024);
    cdb = td_cdb_blocks(0x28, 0, MANY);
    td_scsi_expect_good(td_scsi_io(hba, &cdb, NULL, 0, list, MANY), 0);
    for (unsigned i = 0; i < MANY; i++) {
        qtest_memread(hba->qts, list[i].addr, found, 512);
        td_expect_mem(found, data + i * 512, 512);
    }
    if (td_scsi_stop(hba)) {
        const TdTraced *t = td_traced(hba->traced[0], "READ(10)", 1);

        td_expect_uint(t->n_elements, ==, MANY);
        for (unsigned i = 0; i < MANY; i++) {
            td_expect_hex(t->elements[i].addr, ==, list[i].addr);
            td_expect_uint(t->elements[i].len, ==, 512);
        }
    }
    td_scsi_free(hba);
}

static void check_large(TdScsi *hba)
{
    uint32_t bytes = 512 * KiB;
    g_autofree uint8_t *data = g_malloc(bytes), *found = g_malloc(bytes);

    td_pattern(data, bytes, 6);
    td_scsi_write(hba, 1, data, bytes);
    td_scsi_read(hba, 1, found, bytes);
    td_expect_mem(found, data, bytes);
}

static void test_queue(void)
{
    TdScsi *hba = td_scsi_start("");
    unsigned requests[32];
    uint64_t base = guest_alloc(hba->alloc, 32 * 4096);
    uint8_t data[4096], found[4096];

    for (unsigned i = 0; i < 32; i++) {
        TdMemory list = { base + i * 4096, 4096 };
        TdCdb cdb = td_cdb_blocks(0x2a, i * 8, 8);

        td_pattern(data, sizeof(data), i);
        qtest_memwrite(hba->qts, list.addr, data, sizeof(data));
        requests[i] = td_scsi_submit(hba, &cdb, &list, 1, NULL, 0);
    }
    for (unsigned i = 32; i-- > 0;) {
        td_scsi_expect_good(td_scsi_wait(hba, requests[i]), 0);
    }
    for (unsigned i = 0; i < 32; i++) {
        td_pattern(data, sizeof(data), i);
        td_scsi_read(hba, i * 8, found, sizeof(found));
        td_expect_mem(found, data, sizeof(data));
    }
    td_scsi_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "all-lengths",
        .title = "What any command that writes has written, any that reads "
                 "reads, and nothing else is written",
        .clause = "SBC-3 5.11-5.13, 5.33-5.39",
        .good = "command:08 command:28 command:a8 command:88 command:0a "
                "command:2a command:aa command:8a command:2e command:ae "
                "command:8e command:9c",
        ON_UNITS(check_all_lengths),
    },
    {
        .name = "dpo-fua",
        .title = "DPO and FUA change where data is kept, and not which",
        .clause = "SBC-3 5.11, 5.33",
        .good = "command:28 command:a8 command:88 command:2a command:aa "
                "command:8a",
        ON_UNITS(check_cache_bits),
    },
    {
        .name = "many-elements",
        .title = "A list of a hundred elements is used in its order",
        .clause = "virtio 1.2 5.6.6.1",
        .good = "command:28 command:2a",
        .run = test_many_elements,
    },
    {
        .name = "large",
        .title = "Half a MiB is moved by one command",
        .clause = "SBC-3 5.11, 5.33",
        .good = "command:28 command:2a",
        ON_UNITS(check_large),
    },
    {
        .name = "queue",
        .title = "Commands that are in flight together are all done",
        .clause = "SAM-5 8.1",
        .good = "command:2a",
        .run = test_queue,
    },
};

const TdTopic topic_blocks = TD_TOPIC("blocks", cases);
