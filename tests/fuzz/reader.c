/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target: what libtracedisk makes of any file. Of an input, the
 * first byte says what the rest is: 0 a file as it is; else the records of one
 * sound block, which checksums would keep the fuzzer out of (bit 0: deflated,
 * bit 1: it says that it is an index). It is read twice: after seeking, too.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "block.h"
#include "tracedisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int fd, const void *data, size_t size)
{
    if (write(fd, data, size) != (ssize_t)size)
        abort();
}

static void put_block(int fd, const uint8_t *records, size_t size, uint8_t kind)
{
    bool deflated = kind & 1;
    uint8_t h[TD_BLOCK_HEADER] = TD_BLOCK_MAGIC;
    uLongf len = compressBound(size);
    uint8_t *small = malloc(len);

    if (deflated) {
        compress(small, &len, records, size);
        td_set32(h + TD_AT_RAW_LEN, (uint32_t)size);
        records = small;
    } else {
        len = size;
    }
    td_set16(h + TD_AT_MAJOR, TD_FORMAT_MAJOR);
    td_set16(h + TD_AT_MINOR, TD_FORMAT_MINOR);
    td_set16(h + TD_AT_HEADER_LEN, sizeof(h));
    h[TD_AT_CODEC] = deflated ? TD_CODEC_ZLIB : TD_CODEC_NONE;
    h[TD_AT_FLAGS] = kind & 2 ? TD_BLOCK_INDEX : 0;
    td_set32(h + TD_AT_CAPACITY, (uint32_t)(sizeof(h) + len + 1));
    td_set64(h + TD_AT_FIRST_SEQ, 1);
    td_set32(h + TD_AT_HEADER_CRC, (uint32_t)crc32(0, h, TD_AT_HEADER_CRC));
    td_set64(h + TD_AT_PUBLISHED, len | (uint64_t)crc32(0, records, (uInt)len) << 32);
    put(fd, h, sizeof(h));
    put(fd, records, len);
    put(fd, "", 1);
    put(fd, TD_END_MAGIC, TD_MAGIC_LEN);
    free(small);
}

static void read_all(const char *path, bool seek)
{
    struct td_reader *reader;
    struct td_commands *commands;
    struct td_item item;
    struct td_error error;

    if (td_reader_open(path, &reader, &error) < 0)
        return;
    if (td_commands_open(reader, &commands) < 0)
        abort();
    if (seek)
        td_reader_seek(reader, td_reader_find_time(reader, 1000), td_reader_find_time(reader, -1));
    while (td_commands_next(commands, false, &item) > 0) {
        uint8_t payload[8192];

        if (item.kind == TD_ITEM_COMMAND)
            td_reader_payload(reader, &item.command->complete, 0, payload, sizeof(payload));
        if (item.kind == TD_ITEM_COMMAND && item.command->submit.elements) {
            /* Every element is there to be read. */
            for (uint32_t i = 0; i < item.command->submit.n_elements; i++) {
                volatile uint64_t addr = item.command->submit.elements[i].addr;

                (void)addr;
            }
        }
    }
    td_commands_close(commands);
    td_reader_close(reader);
}

static void pack(const char *path)
{
    int fd = memfd_create("packed", MFD_CLOEXEC);
    uint64_t bytes;

    td_pack(path, fd, &bytes);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd;

    if (!size)
        return 0;
    fd = memfd_create("trace", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    if (data[0])
        put_block(fd, data + 1, size - 1, data[0]);
    else
        put(fd, data + 1, size - 1);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    read_all(path, false);
    read_all(path, true);
    pack(path);
    close(fd);
    return 0;
}
