/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of disks, and what is put on them.
 */
#include "files.h"

char *td_temporary_file(const char *pattern, off_t size)
{
    char *path = NULL;
    int fd = g_file_open_tmp(pattern, &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    close(fd);
    return path;
}

void td_pattern(uint8_t *data, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (i / 512) * 31 + i * 7 + seed * 101 + 1;
    }
}
