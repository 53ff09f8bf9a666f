/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a command's payload, out of the PAYLOADs that it was made of.
 */
#include <errno.h>

#include "reader.h"

/* The PAYLOAD record seq, inflated: its length, -EBADMSG when it is lost, or failure. */
static int64_t find_payload(struct td_reader *r, uint64_t seq, const uint8_t **bytes)
{
    int64_t ret = td_kept_look_up(r->kept, seq, bytes);

    for (uint32_t i = 0; i < r->n_streams && ret == -ENOENT; i++) {
        const struct td_block *block = r->streams[i] ? td_block_of(r->streams[i], seq) : NULL;

        if (block) {
            ret = td_kept_read(r->kept, r->fd, block, seq, bytes);
        }
    }
    if (ret < 0 && ret != -ENOENT && ret != -EBADMSG) {
        return td_fail(r, (int)ret, "reading a kept payload failed: %s", strerror((int)-ret));
    }
    return ret == -ENOENT ? -EBADMSG : ret;
}

int64_t td_reader_payload(struct td_reader *r, const struct td_complete *c, uint64_t offset,
                          void *buf, size_t len)
{
    uint8_t *to = buf;
    size_t done = 0;

    r->kept = r->kept ? r->kept : td_kept_new();
    if (!r->kept) {
        return td_fail_memory(r);
    }
    for (uint32_t i = 0; i < c->n_parts && done < len; i++) {
        const struct td_part *part = &c->parts[i];
        const uint8_t *bytes;
        int64_t has;
        size_t n;

        if (offset >= part->len) {
            offset -= part->len;
            continue;
        }
        n = part->len - offset < len - done ? (size_t)(part->len - offset) : len - done;
        if (part->seq) {
            has = find_payload(r, part->seq, &bytes);
            if (has < 0 || part->offset + offset + n > (uint64_t)has) {
                return has < 0 ? has : -EBADMSG;
            }
            memcpy(to + done, bytes + part->offset + offset, n);
        } else {
            memset(to + done, 0, n);
        }
        done += n;
        offset = 0;
    }
    return (int64_t)done;
}
