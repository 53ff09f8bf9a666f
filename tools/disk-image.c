/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk as it was when the trace began: a raw image. */
#include "disk-image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define CHUNK 65536

struct disk_image {
    int fd;
    char *path;
    bool failed;
    uint8_t chunk[CHUNK];
};

/* What the formats that QEMU writes begin with. */
static const struct {
    const char *format, *magic;
} formats[] = {
    { "qcow2", "QFI\xfb" }, { "vmdk", "KDMV" }, { "vhdx", "vhdxfile" },
    { "vpc", "conectix" },  { "qed", "QED" },
};

static const char *format_of(const uint8_t *bytes, ssize_t n)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        size_t len = strlen(formats[i].magic);

        if (n >= (ssize_t)len && memcmp(bytes, formats[i].magic, len) == 0)
            return formats[i].format;
    }
    return "raw";
}

static bool is_raw(const struct disk_image *image, ssize_t bytes)
{
    const char *format = format_of(image->chunk, bytes);

    if (strcmp(format, "raw") == 0)
        return true;
    say("%s: a %s image; convert it: qemu-img convert -O raw %s disk.raw", image->path, format,
        image->path);
    return false;
}

const char *disk_image_format(const char *path)
{
    uint8_t magic[8];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, magic, sizeof(magic), 0);

    if (n < 0)
        say("%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return n < 0 ? NULL : format_of(magic, n);
}

struct disk_image *disk_image_open(const char *path)
{
    struct disk_image *image = g_new0(struct disk_image, 1);
    ssize_t bytes = -1;

    image->path = g_strdup(path);
    image->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (image->fd >= 0)
        bytes = pread(image->fd, image->chunk, CHUNK, 0);
    if (bytes < 0)
        say("%s: %s", path, strerror(errno));
    if (bytes < 0 || !is_raw(image, bytes)) {
        disk_image_close(image);
        return NULL;
    }
    return image;
}

void disk_image_close(struct disk_image *image)
{
    if (!image)
        return;
    if (image->fd >= 0)
        close(image->fd);
    g_free(image->path);
    g_free(image);
}

static bool read_chunk(struct disk_image *image, uint64_t offset, size_t bytes)
{
    ssize_t got = 0;

    for (size_t done = 0; done < bytes; done += (size_t)got) {
        got = pread(image->fd, image->chunk + done, bytes - done, (off_t)(offset + done));
        if (got < 0)
            return false;
        if (got == 0) {
            memset(image->chunk + done, 0, bytes - done);
            break;
        }
    }
    return true;
}

static bool said_if_failed(struct disk_image *image, bool good)
{
    if (!good && !image->failed)
        say("%s: %s", image->path, strerror(errno));
    image->failed |= !good;
    return good;
}

bool disk_image_hash_block(struct disk_image *image, uint64_t offset, uint32_t bytes,
                           uint8_t hash[TD_SECTOR_HASH])
{
    bool good = bytes <= CHUNK && offset <= INT64_MAX - bytes && read_chunk(image, offset, bytes);

    if (good)
        td_sector_hash(image->chunk, bytes, hash);
    return said_if_failed(image, good);
}

bool disk_image_hash(struct disk_image *image, uint64_t offset, uint64_t bytes,
                     enum td_hash_kind kind, struct td_digest *digest)
{
    struct td_hasher *hasher = td_hasher_new(kind);
    bool good = true;

    td_hasher_begin(hasher);
    for (uint64_t done = 0; good && done < bytes; done += CHUNK) {
        size_t n = MIN(CHUNK, bytes - done);

        good = offset <= INT64_MAX - bytes && read_chunk(image, offset + done, n);
        if (good)
            td_hasher_add(hasher, image->chunk, n);
    }
    td_hasher_end(hasher, digest);
    td_hasher_free(hasher);
    return said_if_failed(image, good);
}
