/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the devices' view of a trace file
 *
 * Threads: a trace file has one stream for the main loop and the vCPUs, which
 * the big lock serialises, and one for each iothread that writes to it. So no
 * record takes a lock, and records that belong together share a block.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "recorder.h"
#include "trace.h"

typedef struct TdTraceFile {
    char *path;
    struct td_writer *writer;
    struct td_stream *main_stream;
    /* Names this file for ever, unlike its address: the key of the TLS cache */
    uint64_t id;
    TdOverflow overflow;
    unsigned users;
    uint32_t next_device;
    uint64_t lost;              /* atomic: records not yet told as LOST */
    bool full;                  /* atomic: the VM was asked to stop */
    VMChangeStateEntry *vmstate;
    GHashTable *streams;        /* AioContext -> td_stream, under lock */
    struct td_pieces *pieces;   /* of kept payloads; NULL: none are kept */
    QemuMutex lock;
    QTAILQ_ENTRY(TdTraceFile) next;
} TdTraceFile;

struct TdRecorder {
    TdTraceFile *file;          /* NULL: no file */
    char *name;
    uint32_t device;
    bool recording;
    TdRecorderStatistics st;    /* counters are atomic */
};

/* Under the big lock. */
static QTAILQ_HEAD(, TdTraceFile) trace_files =
    QTAILQ_HEAD_INITIALIZER(trace_files);
static uint64_t last_file_id;

static __thread struct {
    uint64_t file_id;
    struct td_stream *stream;
} iothread_stream;

static uint64_t now_ns(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* The stream of an iothread's AioContext; NULL when there is no memory. */
static struct td_stream *iothread_stream_of(TdTraceFile *f, AioContext *ctx)
{
    struct td_stream *s;

    if (iothread_stream.file_id == f->id) {
        return iothread_stream.stream;
    }
    WITH_QEMU_LOCK_GUARD(&f->lock) {
        s = g_hash_table_lookup(f->streams, ctx);
        if (!s && td_stream_open(f->writer, &s) == 0) {
            g_hash_table_insert(f->streams, ctx, s);
        }
    }
    iothread_stream.file_id = f->id;
    iothread_stream.stream = s;
    return s;
}

static struct td_stream *current_stream(TdTraceFile *f)
{
    AioContext *ctx = qemu_get_current_aio_context();

    if (likely(ctx == qemu_get_aio_context())) {
        return f->main_stream;
    }
    return iothread_stream_of(f, ctx);
}

/*
 * The disk is full, or nearly: the library still has its reserve for the
 * commands in flight. A paused VM submits nothing more, so with
 * overflow=block that reserve is enough; "cont" goes on.
 */
static void trace_file_full(TdTraceFile *f)
{
    if (qatomic_xchg(&f->full, true)) {
        return;
    }
    if (f->overflow == TD_OVERFLOW_BLOCK) {
        error_report("tracedisk: no space left for trace '%s': the VM is "
                     "paused. Free some space and continue it, or use "
                     "overflow=drop", f->path);
        qemu_system_vmstop_request_prepare();
        qemu_system_vmstop_request(RUN_STATE_IO_ERROR);
    } else {
        warn_report("tracedisk: no space left for trace '%s': records are "
                    "dropped and counted", f->path);
    }
    trace_tracedisk_full(f->path);
}

/* Tell what was lost so far, before anything else is written. */
static int put_pending_lost(TdTraceFile *f, struct td_stream *s)
{
    struct td_lost lost = { .reason = "no space left for the trace" };
    int ret;

    lost.records = qatomic_xchg(&f->lost, 0);
    if (!lost.records) {
        return 0;
    }
    ret = td_put_lost(s, now_ns(), &lost, NULL);
    if (ret < 0) {
        qatomic_add(&f->lost, lost.records);
        return ret;
    }
    trace_tracedisk_lost(lost.records);
    return 0;
}

void td_recorder_lose(TdRecorder *r)
{
    qatomic_inc(&r->file->lost);
    qatomic_inc(&r->st.lost);
}

/* What every put must do with the library's answer; true: it was written. */
static bool account_put(TdRecorder *r, int ret)
{
    TdTraceFile *f = r->file;

    if (likely(ret == 0)) {
        return true;
    }
    if (ret == -ENOSPC || ret > 0) {
        trace_file_full(f);
    } else {
        error_report_once("tracedisk: cannot write a record to '%s': %s",
                          f->path, strerror(-ret));
    }
    if (ret < 0) {
        td_recorder_lose(r);
        return false;
    }
    return true;
}

/* The stream to write to now; NULL (and counted) when there is none. */
static struct td_stream *begin_put(TdRecorder *r)
{
    struct td_stream *s = current_stream(r->file);

    if (unlikely(!s)) {
        account_put(r, -ENOMEM);
        return NULL;
    }
    if (unlikely(qatomic_read(&r->file->lost)) &&
        put_pending_lost(r->file, s) < 0) {
        account_put(r, -ENOSPC);
        return NULL;
    }
    return s;
}

uint64_t td_recorder_submit(TdRecorder *r, struct td_submit *submit)
{
    struct td_stream *s;
    uint64_t seq = 0;

    if (unlikely(!r->recording)) {
        return 0;
    }
    qatomic_inc(&r->st.commands);
    submit->device = r->device;
    if (r->file) {
        s = begin_put(r);
        if (!s || !account_put(r, td_put_submit(s, now_ns(), submit, &seq))) {
            seq = 0;
        }
    }
    if (trace_event_get_state_backends(TRACE_TRACEDISK_SUBMIT)) {
        struct td_decoded d;

        td_decode(submit->protocol, submit->raw, submit->raw_len, &d);
        trace_tracedisk_submit(r->name, seq, submit->port, submit->tag, d.name,
                               d.lba, d.blocks, submit->n_elements);
    }
    return seq;
}

uint64_t td_recorder_stack(TdRecorder *r, struct td_stack *stack)
{
    struct td_stream *s;
    uint64_t seq = 0;

    if (!r->recording || !r->file) {
        return 0;
    }
    stack->device = r->device;
    s = begin_put(r);
    if (!s || !account_put(r, td_put_stack(s, now_ns(), stack, &seq))) {
        seq = 0;
    }
    return seq;
}

/* ---- Payloads ---------------------------------------------------------- */

/* Of the whole file: what one device kept another need not keep again. */
static struct td_pieces *pieces_of(TdTraceFile *f)
{
    QEMU_LOCK_GUARD(&f->lock);
    if (!f->pieces) {
        f->pieces = td_pieces_new();
    }
    return f->pieces;
}

struct td_keeper *td_recorder_new_keeper(TdRecorder *r)
{
    struct td_pieces *pieces = pieces_of(r->file);
    struct td_keeper *keeper = pieces ? td_keeper_new(pieces) : NULL;

    if (!keeper) {
        account_put(r, -ENOMEM);
    }
    return keeper;
}

static TdKept account_kept(TdRecorder *r, int ret)
{
    if (ret == -ENOSPC && r->file->overflow == TD_OVERFLOW_BLOCK) {
        trace_file_full(r->file);
        return TD_KEPT_LATER;
    }
    return account_put(r, ret) ? TD_KEPT : TD_KEPT_NOT;
}

TdKept td_recorder_keep(TdRecorder *r, struct td_keeper *keeper,
                        const void *data, size_t bytes, size_t *done)
{
    struct td_stream *s = begin_put(r);

    *done = 0;
    if (!s) {
        return TD_KEPT_NOT;
    }
    return account_kept(r, td_keeper_add(keeper, s, now_ns(), data, bytes,
                                         done));
}

TdKept td_recorder_keep_end(TdRecorder *r, struct td_keeper *keeper)
{
    struct td_stream *s = begin_put(r);

    return s ? account_kept(r, td_keeper_end(keeper, s, now_ns())) :
           TD_KEPT_NOT;
}

/* ---- More records ------------------------------------------------------ */

void td_recorder_complete(TdRecorder *r, struct td_complete *complete)
{
    struct td_stream *s;

    complete->device = r->device;
    if (r->file && complete->submit_seq) {
        s = begin_put(r);
        if (s) {
            account_put(r, td_put_complete(s, now_ns(), complete, NULL));
        }
    } else if (!r->recording) {
        return;
    }
    qatomic_inc(&r->st.completions);
    qatomic_add(&r->st.bytes, complete->bytes);
    if (trace_event_get_state_backends(TRACE_TRACEDISK_COMPLETE)) {
        char digest[40];

        trace_tracedisk_complete(r->name, complete->submit_seq,
                                 td_status_name(complete->status),
                                 complete->bytes, complete->residual,
                                 complete->flags,
                                 td_digest_text(&complete->digest, digest));
    }
}

void td_recorder_event(TdRecorder *r, struct td_event *event)
{
    struct td_stream *s;

    if (!r || !r->recording) {
        return;
    }
    qatomic_inc(&r->st.events);
    event->device = r->device;
    if (r->file) {
        s = begin_put(r);
        if (s) {
            account_put(r, td_put_event(s, now_ns(), event, NULL));
        }
    }
    trace_tracedisk_event(r->name, td_event_name(event->type),
                          event->has & TD_HAS_PORT ? (int)event->port : -1,
                          event->has & TD_HAS_ADDR ? event->addr : 0,
                          event->has & TD_HAS_VALUE ? event->value : 0,
                          event->has & TD_HAS_TEXT ? event->text : "");
}

void td_recorder_mark(TdRecorder *r, const char *name)
{
    struct td_mark mark = { .device = r->device, .name = name };
    struct td_stream *s;

    trace_tracedisk_mark(r->name, name);
    if (r->file) {
        s = begin_put(r);
        if (s) {
            account_put(r, td_put_mark(s, now_ns(), &mark, NULL));
        }
    }
}

void td_recorder_port_event(TdRecorder *r, enum td_event_type type,
                            uint32_t port, const char *text)
{
    struct td_event event = {
        .type = type, .has = TD_HAS_PORT | TD_HAS_TEXT,
        .port = port, .text = text,
    };

    td_recorder_event(r, &event);
}

void td_recorder_guest_error(TdRecorder *r, uint32_t port, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    qemu_log_mask(LOG_GUEST_ERROR, "tracedisk: %s: port %" PRIu32 ": %s\n",
                  r ? r->name : "no drive", port, text);
    td_recorder_port_event(r, TD_EVENT_GUEST_ERROR, port, text);
}

bool td_recorder_get_recording(const TdRecorder *r)
{
    return r->recording;
}

void td_recorder_set_recording(TdRecorder *r, bool on)
{
    struct td_event event = {
        .type = TD_EVENT_RECORDING, .has = TD_HAS_VALUE, .value = on,
    };

    if (on == r->recording) {
        return;
    }
    /* The event must fall inside the recorded time on both edges. */
    r->recording = true;
    td_recorder_event(r, &event);
    r->recording = on;
}

void td_recorder_get_statistics(const TdRecorder *r, TdRecorderStatistics *st)
{
    struct td_writer_statistics w = { 0 };

    *st = r->st;
    if (r->file) {
        td_writer_get_statistics(r->file->writer, &w);
    }
    st->trace_records = w.records;
    st->trace_bytes = w.bytes;
}

/* ---- Trace files ------------------------------------------------------- */

static void trace_file_run_state(void *opaque, bool running, RunState state)
{
    TdTraceFile *f = opaque;
    struct td_event event = {
        .type = TD_EVENT_RUN_STATE, .has = TD_HAS_VALUE | TD_HAS_TEXT,
        .value = running, .text = RunState_str(state),
    };

    if (running) {
        qatomic_set(&f->full, false);
    }
    if (td_put_event(f->main_stream, now_ns(), &event, NULL) < 0) {
        qatomic_inc(&f->lost);
    }
}

static int trace_file_put_header(TdTraceFile *f)
{
    g_autoptr(GDateTime) utc = g_date_time_new_now_utc();
    g_autofree char *started = g_date_time_format(utc, "%Y-%m-%dT%H:%M:%SZ");
    MachineClass *mc = MACHINE_GET_CLASS(qdev_get_machine());
    const struct td_pair pairs[] = {
        { "tracedisk", TRACEDISK_VERSION },
        { "qemu", TRACEDISK_QEMU_VERSION },
        { "machine", mc->name },
        { "clock", "virtual" },
        { "started", started },
    };
    struct td_header header = { .pairs = pairs, .n_pairs = ARRAY_SIZE(pairs) };

    trace_tracedisk_header(f->path, TRACEDISK_QEMU_VERSION, mc->name);
    return td_put_header(f->main_stream, now_ns(), &header, NULL);
}

/* Keep what is there as <path>.old: a second run never destroys a trace. */
static bool keep_old_file(const char *path, Error **errp)
{
    g_autofree char *old = g_strconcat(path, ".old", NULL);
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
        return true;
    }
    if (rename(path, old) < 0) {
        error_setg_errno(errp, errno, "cannot keep the trace '%s' as '%s'",
                         path, old);
        return false;
    }
    return true;
}

static void trace_file_free(TdTraceFile *f)
{
    if (f->vmstate) {
        qemu_del_vm_change_state_handler(f->vmstate);
    }
    td_writer_close(f->writer);
    td_pieces_free(f->pieces);
    g_hash_table_destroy(f->streams);
    qemu_mutex_destroy(&f->lock);
    g_free(f->path);
    g_free(f);
}

static TdTraceFile *trace_file_open(const char *path, TdOverflow overflow,
                                    Error **errp)
{
    TdTraceFile *f;
    int ret;

    QTAILQ_FOREACH(f, &trace_files, next) {
        if (strcmp(f->path, path) == 0) {
            f->users++;
            return f;
        }
    }
    if (!keep_old_file(path, errp)) {
        return NULL;
    }
    f = g_new0(TdTraceFile, 1);
    f->path = g_strdup(path);
    f->id = ++last_file_id;
    f->overflow = overflow;
    f->users = 1;
    f->streams = g_hash_table_new(NULL, NULL);
    qemu_mutex_init(&f->lock);
    ret = td_writer_create(path, NULL, &f->writer);
    if (ret == 0) {
        ret = td_stream_open(f->writer, &f->main_stream);
    }
    if (ret == 0) {
        ret = trace_file_put_header(f);
    }
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot create the trace '%s'", path);
        error_append_hint(errp, "Choose another file with trace=PATH, or "
                          "trace=none for no file.\n");
        trace_file_free(f);
        return NULL;
    }
    f->vmstate = qemu_add_vm_change_state_handler(trace_file_run_state, f);
    QTAILQ_INSERT_TAIL(&trace_files, f, next);
    return f;
}

static void trace_file_unref(TdTraceFile *f)
{
    if (--f->users == 0) {
        QTAILQ_REMOVE(&trace_files, f, next);
        trace_file_free(f);
    }
}

/*
 * QEMU leaves without unrealizing its devices: give the files their final
 * length. What was recorded is there either way.
 */
static void trace_files_close_at_exit(Notifier *n, void *data)
{
    TdTraceFile *f;

    QTAILQ_FOREACH(f, &trace_files, next) {
        td_writer_finish(f->writer);
    }
}

static Notifier exit_notifier = { .notify = trace_files_close_at_exit };

TdRecorder *td_recorder_new(const char *path, TdOverflow overflow,
                            const struct td_device *device, Error **errp)
{
    struct td_device described = *device;
    TdRecorder *r = g_new0(TdRecorder, 1);

    r->name = g_strdup(device->name);
    r->recording = true;
    if (path) {
        r->file = trace_file_open(path, overflow, errp);
        if (!r->file) {
            td_recorder_free(r);
            return NULL;
        }
        r->device = r->file->next_device++;
        described.id = r->device;
        account_put(r, td_put_device(r->file->main_stream, now_ns(),
                                     &described, NULL));
        if (!exit_notifier.node.le_prev) {
            qemu_add_exit_notifier(&exit_notifier);
        }
    }
    trace_tracedisk_device(r->name, r->device, device->frontend,
                           device->logical_block_size, device->blocks);
    return r;
}

void td_recorder_free(TdRecorder *r)
{
    if (!r) {
        return;
    }
    if (r->file) {
        trace_file_unref(r->file);
    }
    g_free(r->name);
    g_free(r);
}

/* ---- Run-time properties ----------------------------------------------- */

static TdRecorder *recorder_of(TdRecorder **r, Error **errp)
{
    if (!*r) {
        error_setg(errp, "the device is not realized yet");
    }
    return *r;
}

static void prop_get_recording(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    TdRecorder **r = opaque;
    bool on = *r ? (*r)->recording : true;

    visit_type_bool(v, name, &on, errp);
}

static void prop_set_recording(Object *obj, Visitor *v, const char *name,
                               void *opaque, Error **errp)
{
    bool on;

    if (visit_type_bool(v, name, &on, errp) && recorder_of(opaque, errp)) {
        td_recorder_set_recording(*(TdRecorder **)opaque, on);
    }
}

static void prop_set_mark(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    g_autofree char *mark = NULL;

    if (visit_type_str(v, name, &mark, errp) && recorder_of(opaque, errp)) {
        td_recorder_mark(*(TdRecorder **)opaque, mark);
    }
}

static void prop_get_statistics(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    TdRecorder **r = opaque;
    TdRecorderStatistics st = { 0 };

    if (*r) {
        td_recorder_get_statistics(*r, &st);
    }
    if (!visit_start_struct(v, name, NULL, 0, errp)) {
        return;
    }
    if (visit_type_uint64(v, "commands", &st.commands, errp) &&
        visit_type_uint64(v, "completions", &st.completions, errp) &&
        visit_type_uint64(v, "bytes", &st.bytes, errp) &&
        visit_type_uint64(v, "events", &st.events, errp) &&
        visit_type_uint64(v, "lost", &st.lost, errp) &&
        visit_type_uint64(v, "trace-records", &st.trace_records, errp) &&
        visit_type_uint64(v, "trace-bytes", &st.trace_bytes, errp)) {
        visit_check_struct(v, errp);
    }
    visit_end_struct(v, NULL);
}

void td_recorder_add_properties(Object *obj, TdRecorder **r)
{
    object_property_add(obj, "recording", "bool", prop_get_recording,
                        prop_set_recording, NULL, r);
    object_property_add(obj, "mark", "string", NULL, prop_set_mark, NULL, r);
    object_property_add(obj, "statistics", "TdRecorderStatistics",
                        prop_get_statistics, NULL, NULL, r);
}
