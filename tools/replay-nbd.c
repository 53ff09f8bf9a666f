/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target behind the Network Block Device protocol: an export, or an image,
 * for which libnbd starts a qemu-nbd of its own that knows the formats.
 */
#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "disk-image.h"
#include "replay.h"
#include "tool.h"

/* A request of NBD is at most 32 MiB in QEMU. */
#define PIECE (16u << 20)

struct nbd_target {
    struct replay_target target;
    struct nbd_handle *nbd;
    GQueue second; /* jobs that compared, and now write */
};

static struct nbd_target *nbd_target(struct replay_target *target)
{
    return (struct nbd_target *)target;
}

/* ---- Requests ---- */

static void fail(struct replay_job *job, int error, const char *why)
{
    job->result.failed = true;
    g_strlcpy(job->result.why, why ? why : g_strerror(error), sizeof(job->result.why));
}

/* All requests of a job's step are done. In a callback libnbd takes no new ones. */
static void end_step(struct replay_target *target, struct replay_job *job)
{
    uint8_t *found = job->data;

    job->data = NULL;
    if (job->action == REPLAY_COMPARE && found && !job->result.failed) {
        if (memcmp(found, job->buf, job->bytes) != 0) {
            fail(job, 0, "the bytes to be compared differ");
        } else if (job->buf_len > job->bytes) {
            g_queue_push_tail(&nbd_target(target)->second, job);
        }
    }
    g_free(found);
    job->done = !g_queue_find(&nbd_target(target)->second, job);
}

struct request {
    struct replay_target *target;
    struct replay_job *job;
    uint64_t read; /* bytes, when it went well */
};

static void end_request(struct request *request, int error, const char *why)
{
    struct replay_job *job = request->job;

    if (error)
        fail(job, error, why);
    else
        job->result.bytes += request->read;
    if (--job->pending == 0)
        end_step(request->target, job);
}

static int completed(void *data, int *error)
{
    end_request(data, *error, NULL);
    return 1;
}

/* The next request of a job, which libnbd frees. */
static nbd_completion_callback next_request(struct replay_target *target, struct replay_job *job,
                                            uint64_t read)
{
    struct request *request = g_new(struct request, 1);

    *request = (struct request){ target, job, read };
    job->pending++;
    return (nbd_completion_callback){ completed, request, g_free };
}

/* What could not even be sent: libnbd has freed the request. */
static void check_sent(struct replay_target *target, struct replay_job *job, int64_t cookie)
{
    struct request request = { target, job, 0 };

    if (cookie < 0)
        end_request(&request, nbd_get_errno(), nbd_get_error());
}

/* ---- Jobs ---- */

static void start_read(struct replay_target *target, struct replay_job *job, uint8_t *buf)
{
    struct nbd_handle *nbd = nbd_target(target)->nbd;

    for (uint64_t at = 0; at < job->bytes; at += PIECE) {
        uint64_t n = MIN(PIECE, job->bytes - at);

        check_sent(
            target, job,
            nbd_aio_pread(nbd, buf + at, n, job->offset + at, next_request(target, job, n), 0));
    }
}

static void start_write(struct replay_target *target, struct replay_job *job)
{
    struct nbd_handle *nbd = nbd_target(target)->nbd;
    uint32_t flags = job->fua && nbd_can_fua(nbd) > 0 ? LIBNBD_CMD_FLAG_FUA : 0;

    job->pending++; /* until all are sent */
    for (uint64_t at = 0; at < job->bytes; at += PIECE) {
        uint64_t n = MIN(PIECE, job->bytes - at);

        check_sent(target, job,
                   nbd_aio_pwrite(nbd, job->buf + (job->same ? 0 : at), n, job->offset + at,
                                  next_request(target, job, 0), flags));
    }
    end_request(&(struct request){ target, job, 0 }, 0, NULL);
}

/* WRITE SAME: as many copies of the block as a request takes. */
static void repeat_block(struct replay_job *job)
{
    uint32_t block_size = job->block_size;
    uint64_t len = MIN(PIECE / block_size * block_size, job->bytes);
    uint8_t *buf = g_malloc(MAX(len, block_size));

    for (uint64_t at = 0; at < len; at += block_size)
        memcpy(buf + at, job->buf, block_size);
    g_free(job->buf);
    job->buf = buf;
    job->buf_len = len;
}

static void start_discard(struct replay_target *target, struct replay_job *job)
{
    struct nbd_handle *nbd = nbd_target(target)->nbd;

    /* A disk may take a TRIM and do nothing: so does one that cannot. */
    for (size_t i = 0; i < job->n_ranges && nbd_can_trim(nbd) > 0; i++) {
        const struct replay_range *range = &job->ranges[i];

        for (uint64_t at = 0; at < range->bytes; at += 1u << 30) {
            uint64_t n = MIN(1u << 30, range->bytes - at);

            check_sent(target, job,
                       nbd_aio_trim(nbd, n, range->offset + at, next_request(target, job, 0), 0));
        }
    }
}

static void start_zero(struct replay_target *target, struct replay_job *job)
{
    struct nbd_handle *nbd = nbd_target(target)->nbd;

    for (uint64_t at = 0; at < job->bytes; at += 1u << 30) {
        uint64_t n = MIN(1u << 30, job->bytes - at);

        check_sent(target, job,
                   nbd_aio_zero(nbd, n, job->offset + at, next_request(target, job, 0), 0));
    }
}

static bool is_outside(const struct replay_target *target, const struct replay_job *job)
{
    if (job->bytes > target->bytes || job->offset > target->bytes - job->bytes)
        return true;
    for (size_t i = 0; i < job->n_ranges; i++) {
        if (job->ranges[i].bytes > target->bytes ||
            job->ranges[i].offset > target->bytes - job->ranges[i].bytes)
            return true;
    }
    return false;
}

static void start(struct replay_target *target, struct replay_job *job)
{
    if (is_outside(target, job)) {
        fail(job, 0, "it lies beyond the end of the target");
        job->done = true;
        return;
    }
    job->pending++;
    switch (job->action) {
    case REPLAY_READ:
        job->buf = g_malloc(job->bytes + 1);
        start_read(target, job, job->buf);
        break;
    case REPLAY_COMPARE:
        job->data = g_malloc(job->bytes + 1);
        start_read(target, job, job->data);
        break;
    case REPLAY_WRITE:
        if (job->same)
            repeat_block(job);
        start_write(target, job);
        break;
    case REPLAY_FLUSH:
        if (nbd_can_flush(nbd_target(target)->nbd) > 0)
            check_sent(target, job,
                       nbd_aio_flush(nbd_target(target)->nbd, next_request(target, job, 0), 0));
        break;
    case REPLAY_TRIM:
        start_discard(target, job);
        break;
    case REPLAY_ZERO:
        start_zero(target, job);
        break;
    case REPLAY_COMMAND:
        break;
    }
    end_request(&(struct request){ target, job, 0 }, 0, NULL);
}

static const char *plan(struct replay_target *target, struct replay_job *job)
{
    const char *why = replay_plan_blocks(job);

    /* What fails anyway needs no bytes. */
    if (why == REPLAY_BYTES_UNKNOWN && is_outside(target, job))
        return NULL;
    return why;
}

static bool work(struct replay_target *target, int timeout)
{
    struct nbd_target *t = nbd_target(target);
    struct replay_job *job;

    if (nbd_poll(t->nbd, timeout) < 0 || nbd_aio_is_dead(t->nbd) || nbd_aio_is_closed(t->nbd)) {
        const char *why = nbd_get_error();

        say("the target is gone: %s", why ? why : "it closed the connection");
        return false;
    }
    while ((job = g_queue_pop_head(&t->second))) {
        memmove(job->buf, job->buf + job->bytes, job->bytes);
        job->action = REPLAY_WRITE;
        start_write(target, job);
    }
    return true;
}

static void close_target(struct replay_target *target)
{
    struct nbd_target *t = nbd_target(target);

    nbd_shutdown(t->nbd, 0);
    nbd_close(t->nbd);
    g_queue_clear(&t->second);
    g_free(t);
}

static const struct replay_target_ops ops = { plan, start, work, close_target };

/* ---- Opening ---- */

static bool is_uri(const char *target)
{
    return g_str_has_prefix(target, "nbd:") || g_str_has_prefix(target, "nbd+unix:") ||
           g_str_has_prefix(target, "nbds:") || g_str_has_prefix(target, "nbds+unix:");
}

static bool connect_image(struct nbd_handle *nbd, const char *path, const char *format,
                          bool read_only)
{
    const char *words[] = { "qemu-nbd",
                            "--format",
                            NULL,
                            "--discard=unmap",
                            "--cache=writeback",
                            path,
                            read_only ? "--read-only" : NULL,
                            NULL };
    g_autofree char *program = g_find_program_in_path(words[0]);

    if (!program) {
        say("an image needs qemu-nbd, which is not there: install it (Debian: qemu-utils)");
        return false;
    }
    words[2] = format ? format : disk_image_format(path);
    if (!words[2])
        return false;
    if (nbd_connect_systemd_socket_activation(nbd, (char **)words) == 0)
        return true;
    say("cannot open '%s' as a %s image: see what qemu-nbd said", path, words[2]);
    return false;
}

static bool connect_target(struct nbd_handle *nbd, const char *target, const char *format,
                           bool read_only)
{
    if (!is_uri(target))
        return connect_image(nbd, target, format, read_only);
    if (format) {
        say("--image-format is for images; '%s' is an export", target);
        return false;
    }
    if (nbd_connect_uri(nbd, target) == 0)
        return true;
    say("cannot connect to '%s': %s", target, nbd_get_error());
    return false;
}

struct replay_target *replay_open_nbd(const char *target, const char *format, bool read_only)
{
    struct nbd_handle *nbd = nbd_create();
    struct nbd_target *t;
    int64_t bytes = -1;

    if (!nbd) {
        say("%s", nbd_get_error());
        return NULL;
    }
    /* With them qemu-nbd ends the connection where a read fails. */
    nbd_set_request_structured_replies(nbd, false);
    if (connect_target(nbd, target, format, read_only)) {
        bytes = nbd_get_size(nbd);
        if (bytes < 0)
            say("%s: %s", target, nbd_get_error());
    }
    if (bytes >= 0 && !read_only && nbd_is_read_only(nbd)) {
        say("'%s' can only be read: use --reads-only, or one that can be written", target);
        bytes = -1;
    }
    if (bytes < 0) {
        nbd_close(nbd);
        return NULL;
    }
    t = g_new0(struct nbd_target, 1);
    t->target.ops = &ops;
    t->target.bytes = (uint64_t)bytes;
    t->nbd = nbd;
    return &t->target;
}
