/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * badcdbs: send random CDBs, with random buffers, to every SCSI disk through
 * SG_IO. What comes back does not matter; that the disk works afterwards does.
 * Prints one line a disk.
 *
 * usage: badcdbs DEVICE JOB      (DEVICE is not looked at: all /dev/sd? are taken)
 *
 * JOB holds three numbers: seed, commands for each disk, number of disks.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_BYTES (256 << 10)
#define MAX_PIECES 16
#define TIMEOUT_MS 3000

struct tally {
    unsigned sent, good, failed, refused, host;
};

static uint64_t state;

/* xorshift64* */
static uint32_t any(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dULL) >> 32;
}

static uint32_t below(uint32_t n)
{
    return any() % n;
}

static uint32_t any_length(void)
{
    switch (below(4)) {
    case 0:
        return below(64);
    case 1:
        return 512 * below(64);
    case 2:
        return below(8192);
    default:
        return below(MAX_BYTES);
    }
}

static unsigned length_of(uint8_t opcode)
{
    static const uint8_t lengths[8] = { 6, 10, 10, 16, 16, 12, 12, 16 };

    return lengths[opcode >> 5];
}

/* Most commands are to come past the first checks: a small LBA, few blocks. */
static void tame(uint8_t *cdb)
{
    static const uint8_t zeroed[][2] = { { 1, 1 }, { 2, 3 }, { 6, 2 }, { 10, 2 }, { 14, 1 } };

    for (size_t i = 0; i < sizeof(zeroed) / sizeof(zeroed[0]); i++) {
        if (below(4)) {
            memset(cdb + zeroed[i][0], 0, zeroed[i][1]);
        }
    }
    if (below(2)) {
        cdb[1] &= 0x1f;
    }
}

static unsigned any_cdb(uint8_t *cdb)
{
    /* All that the disk knows, and a few that it does not. */
    static const uint8_t known[] = {
        0x00, 0x03, 0x04, 0x08, 0x0a, 0x12, 0x15, 0x16, 0x17, 0x1a, 0x1b, 0x1d, 0x1e, 0x25, 0x28,
        0x2a, 0x2e, 0x2f, 0x34, 0x35, 0x37, 0x3b, 0x3c, 0x41, 0x42, 0x48, 0x4c, 0x4d, 0x55, 0x56,
        0x57, 0x5a, 0x5e, 0x5f, 0x7f, 0x83, 0x84, 0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x8f, 0x90, 0x91,
        0x93, 0x9c, 0x9e, 0x9f, 0xa0, 0xa1, 0xa3, 0xa4, 0xa8, 0xaa, 0xae, 0xaf, 0xb7, 0xbe,
    };

    for (unsigned i = 0; i < 16; i++) {
        cdb[i] = any();
    }
    if (below(8)) {
        cdb[0] = known[below(sizeof(known))];
        tame(cdb);
    }
    return below(16) ? length_of(cdb[0]) : (unsigned[]){ 6, 10, 12, 16 }[below(4)];
}

/* Pieces at any alignment; returns their number. */
static unsigned any_list(sg_iovec_t *list, uint8_t *memory, uint32_t bytes)
{
    unsigned n = 0;

    while (bytes && n < MAX_PIECES) {
        uint32_t piece = n == MAX_PIECES - 1 ? bytes : 1 + below(bytes);

        list[n++] = (sg_iovec_t){ memory + below(4096), piece };
        memory += piece + 4096;
        bytes -= piece;
    }
    return n;
}

static int send_command(int fd, uint8_t *cdb, unsigned len, int direction, void *data,
                        uint32_t bytes, unsigned pieces, sg_io_hdr_t *io)
{
    static uint8_t sense[64];

    *io = (sg_io_hdr_t){
        .interface_id = 'S',
        .dxfer_direction = direction,
        .cmd_len = len,
        .mx_sb_len = sizeof(sense),
        .iovec_count = pieces,
        .dxfer_len = bytes,
        .dxferp = data,
        .cmdp = cdb,
        .sbp = sense,
        .timeout = TIMEOUT_MS,
    };
    return ioctl(fd, SG_IO, io);
}

static void send_any(int fd, uint8_t *memory, struct tally *tally)
{
    static const int directions[] = { SG_DXFER_NONE, SG_DXFER_TO_DEV, SG_DXFER_FROM_DEV };
    sg_iovec_t list[MAX_PIECES];
    uint8_t cdb[16];
    unsigned len = any_cdb(cdb);
    int direction = directions[below(3)];
    uint32_t bytes = direction == SG_DXFER_NONE ? 0 : any_length();
    unsigned pieces = bytes && below(2) ? any_list(list, memory, bytes) : 0;
    void *data = pieces ? (void *)list : memory + below(64);
    sg_io_hdr_t io;

    for (unsigned i = 0; i < 128; i++) {
        memory[below(i < 64 ? 64 : MAX_BYTES)] = any();
    }
    tally->sent++;
    if (send_command(fd, cdb, len, direction, data, bytes, pieces, &io) < 0) {
        tally->refused++;
    } else if (io.host_status) {
        tally->host++;
    } else if (io.status) {
        tally->failed++;
    } else {
        tally->good++;
    }
}

/* A disk that was stopped or write-protected would look at little. */
static void revive(int fd, uint8_t *memory)
{
    uint8_t start[6] = { 0x1b, 0, 0, 0, 1, 0 };
    uint8_t clear[10] = { 0x5f, 0x03, 0, 0, 0, 0, 0, 0, 24, 0 };
    uint8_t select[6] = { 0x15, 0x10, 0, 0, 16, 0 };
    static const uint8_t control[16] = { 0, 0, 0, 0, 0x0a, 0x0a, 2, 0x10, 0, 0, 0, 0, 0xff, 0xff };
    sg_io_hdr_t io;

    send_command(fd, start, 6, SG_DXFER_NONE, NULL, 0, 0, &io);
    memset(memory, 0, 24);
    send_command(fd, clear, 10, SG_DXFER_TO_DEV, memory, 24, 0, &io);
    memcpy(memory, control, sizeof(control));
    send_command(fd, select, 6, SG_DXFER_TO_DEV, memory, 16, 0, &io);
}

/* Reads its first blocks, after whatever is left to be told. */
static bool works(int fd, uint8_t *memory)
{
    uint8_t read10[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0 };
    sg_io_hdr_t io;

    for (int i = 0; i < 8; i++) {
        revive(fd, memory);
        if (send_command(fd, read10, 10, SG_DXFER_FROM_DEV, memory, 4096, 0, &io) == 0 &&
            !io.status && !io.host_status && !io.resid) {
            return true;
        }
        usleep(100000);
    }
    return false;
}

/* What the disk calls itself: the test puts its HBA's name there. */
static const char *name_of(const char *disk)
{
    static char model[64];
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/sys/block/%s/device/model", disk);
    file = fopen(path, "r");
    if (!file || fscanf(file, "%63s", model) != 1) {
        err(1, "%s", path);
    }
    fclose(file);
    return model;
}

static void run(const char *path, unsigned count)
{
    static uint8_t memory[2 * MAX_BYTES + MAX_PIECES * 4096];
    struct tally tally = { 0 };
    int fd = open(path, O_RDWR | O_NONBLOCK);

    if (fd < 0) {
        err(1, "%s", path);
    }
    for (unsigned i = 0; i < count; i++) {
        if (i % 32 == 0) {
            revive(fd, memory);
        }
        send_any(fd, memory, &tally);
    }
    printf("%s %s: %u sent, %u good, %u failed, %u ended by the HBA, %u refused by Linux\n",
           name_of(path + 5), works(fd, memory) ? "works" : "is dead", tally.sent, tally.good,
           tally.failed, tally.host, tally.refused);
    fflush(stdout);
    close(fd);
}

int main(int argc, char **argv)
{
    unsigned count, disks;
    char path[] = "/dev/sda";
    FILE *job;

    if (argc != 3) {
        errx(2, "usage: badcdbs DEVICE JOB");
    }
    job = fopen(argv[2], "r");
    if (!job || fscanf(job, "%lu %u %u", &state, &count, &disks) != 3) {
        err(1, "%s", argv[2]);
    }
    state = state * 2 + 1;
    for (unsigned i = 0; i < disks; i++, path[7]++) {
        for (int tries = 0; access(path, F_OK) && tries < 600; tries++) {
            usleep(50000);
        }
        run(path, count);
    }
    puts("end");
    return 0;
}
