/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything at all.
 */
#include "suite.h"

/*
 * A driver gone mad: random registers, random commands with random lists. It
 * must neither crash nor hang, and a port reset brings the disk back.
 */
static void test_madness(void)
{
    static const uint8_t commands[] = {
        0x06, 0x20, 0x25, 0x2f, 0x35, 0x3f, 0x45, 0x47, 0x60, 0x61, 0xb0,
        0xc4, 0xc6, 0xc8, 0xca, 0xe7, 0xea, 0xec, 0xef, 0x42, 0x00, 0xff,
    };
    TdAhci *hba = td_ahci_start("");
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB);
    uint32_t fb = td_px_read(hba, AHCI_PX_FB);
    uint64_t where[] = {
        TD_HOLE, TD_ROM, TD_RAM_BYTES - 700, 64 * MiB, hba->ahci->hba_bar.addr,
        clb,     fb,     hba->table[3]
    };

    for (int round = 0; round < 3000; round++) {
        unsigned slot = g_test_rand_int_range(0, TD_AHCI_SLOTS);
        uint8_t command =
            commands[g_test_rand_int_range(0, ARRAY_SIZE(commands))];
        RegH2DFIS fis = td_fis_ncq(command, g_test_rand_int_range(0, 2048),
                                   g_test_rand_int_range(0, 64), slot);
        TdPrd list[4];

        for (int i = 0; i < 4; i++) {
            list[i].addr = where[g_test_rand_int_range(0, 8)] +
                           g_test_rand_int_range(0, 64);
            list[i].len = g_test_rand_int_range(1, 9000);
        }
        if (g_test_rand_bit()) {
            fis.flags = g_test_rand_int_range(0, 256);
        }
        fis.control = g_test_rand_int_range(0, 16) ? 0 : 4;
        td_ahci_fill(hba, slot, &fis, list, g_test_rand_int_range(0, 5));
        if (g_test_rand_int_range(0, 4)) {
            td_ahci_ring_queued(hba, 1u << slot);
        } else if (g_test_rand_int_range(0, 8)) {
            td_px_write(hba, g_test_rand_int_range(4, 15), g_test_rand_int());
        } else {
            td_px_write(hba, g_test_rand_bit() ? AHCI_PX_CLB : AHCI_PX_FB,
                        where[g_test_rand_int_range(0, 8)]);
        }
        if (td_px_read(hba, AHCI_PX_IS) >> 24 || round % 16 == 0) {
            td_px_write(hba, AHCI_PX_CLB, clb);
            td_px_write(hba, AHCI_PX_FB, fb);
            reset_port(hba);
            td_ahci_recover(hba);
        }
    }
    td_px_write(hba, AHCI_PX_CMD, 0);
    reset_port(hba);
    td_px_write(hba, AHCI_PX_CLB, clb);
    td_px_write(hba, AHCI_PX_FB, fb);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(hba->traced->commands->len, >, 100);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "madness",
        .title = "Random registers, commands and lists neither crash nor "
                 "hang the HBA, and COMRESET brings the disk back",
        .clause = "AHCI 1.3.1 10.4.2",
        .bad = "reset:COMRESET",
        .ours = OURS_DEFINED,
        .run = test_madness,
    },
};

const TdTopic topic_chaos = TD_TOPIC("chaos", cases);
