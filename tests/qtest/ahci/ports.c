/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HBA with several ports.
 */
#include "suite.h"

static void test_ports(void)
{
    char *second;
    g_autofree char *drive = NULL;
    uint8_t data[BYTES], found[BYTES];
    TdAhci *hba;
    int fd = g_file_open_tmp("tracedisk-XXXXXX.img", &second, NULL);

    td_expect_uint(ftruncate(fd, TD_DISK_BYTES), ==, 0);
    close(fd);
    drive = g_strdup_printf(" -drive if=none,id=d1,format=raw,file=%s", second);
    hba = td_ahci_start_with(drive, ",ports=4,drive1=d1");
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_PI), ==, 0xf);
    /* Nothing is attached to ports 2 and 3 [3.3.10]. */
    td_expect_hex(ahci_px_rreg(hba->ahci, 2, AHCI_PX_SSTS) & 0xf, ==, 0);

    td_pattern(data, BYTES, 1);
    td_disk_write(hba, 0, data, BYTES);
    hba->port = 1;
    td_disk_read(hba, 0, found, BYTES);
    td_expect_hex(found[0], ==, 0);
    td_pattern(data, BYTES, 2);
    td_disk_write(hba, 0, data, BYTES);
    td_disk_read(hba, 0, found, BYTES);
    td_expect_mem(data, found, BYTES);
    /* A command for a port without a disk goes nowhere. */
    hba->port = 2;
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    td_ahci_ring(hba, 1);
    hba->port = 0;
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
    unlink(second);
    g_free(second);
}

static const TdCase cases[] = {
    {
        .name = "several",
        .title = "Each port has its disk, and a port without one takes no "
                 "command",
        .clause = "AHCI 1.3.1 3.1.4",
        .good = "register:PI",
        .bad = "register:PxSSTS",
        .ours = OURS_PORTS,
        .run = test_ports,
    },
};

const TdTopic topic_ports = TD_TOPIC("ports", cases);
