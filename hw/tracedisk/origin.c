/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: who asked
 *
 * Registers are numbered as for gdb (its target descriptions of i386, x86-64
 * and aarch64). The program counter is that of the translated code's beginning
 * under TCG: restoring the exact one changes the vCPU, and is not ours to do.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "origin.h"

#define PAGE 4096
/* A frame further up than this is no frame: stacks of kernels are smaller. */
#define STACK_SPAN (64 * KiB)

#define CR0_PE (1 << 0)
#define EFER_LMA (1 << 10)
#define PSTATE_NRW (1 << 4)

typedef struct Machine {
    const char *cpu_type;
    enum td_machine machine;
    int sp, fp, lr;             /* -1: there is none */
    int mode;                   /* CR0, or PSTATE */
    int efer;
} Machine;

static const Machine machines[] = {
    { "x86_64-cpu", TD_MACHINE_X86_64, 7, 6, -1, 27, 32 },
    { "i386-cpu", TD_MACHINE_386, 4, 5, -1, 19, -1 },
    { "aarch64-cpu", TD_MACHINE_AARCH64, 31, 29, 30, 33, -1 },
};

typedef struct Stack {
    uint64_t seq;               /* 0: none */
    uint64_t addr;
    uint32_t len;
    uint8_t bytes[TD_MAX_STACK];
} Stack;

struct TdOrigins {
    TdRecorder *recorder;
    GByteArray *value;          /* of a register */
    unsigned n_stacks;
    Stack stacks[TD_STACKS];    /* the last that were recorded */
};

/* ---- The vCPU ---------------------------------------------------------- */

static uint64_t read_register(TdOrigins *o, CPUState *cpu, int number)
{
    uint64_t value = 0;
    int n;

    if (number < 0) {
        return 0;
    }
    g_byte_array_set_size(o->value, 0);
    n = CPU_GET_CLASS(cpu)->gdb_read_register(cpu, o->value, number);
    for (int i = MIN(n, 8) - 1; i >= 0; i--) {
        value = value << 8 | o->value->data[i];
    }
    return value;
}

static const Machine *machine_of(CPUState *cpu)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        if (object_dynamic_cast(OBJECT(cpu), machines[i].cpu_type)) {
            return &machines[i];
        }
    }
    return NULL;
}

/* Bytes of a word on the stack; 0: a mode whose stack we cannot read. */
static unsigned word_size(TdOrigins *o, CPUState *cpu, const Machine *m)
{
    uint64_t mode = read_register(o, cpu, m->mode);

    if (m->machine == TD_MACHINE_AARCH64) {
        return mode & PSTATE_NRW ? 0 : 8;
    }
    if (!(mode & CR0_PE)) {
        return 0;
    }
    return read_register(o, cpu, m->efer) & EFER_LMA ? 8 : 4;
}

/* Up to the page's end; 0 where there is no RAM: reading could do things. */
static uint32_t read_page(CPUState *cpu, uint64_t addr, void *buf, uint32_t len)
{
    MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;
    uint64_t offset = addr % PAGE;
    hwaddr page = cpu_get_phys_page_attrs_debug(cpu, addr - offset, &attrs);
    hwaddr n = MIN(len, PAGE - offset), xlat;
    AddressSpace *as;
    MemoryRegion *mr;

    if (page == (hwaddr)-1) {
        return 0;
    }
    as = cpu_get_address_space(cpu, cpu_asidx_from_attrs(cpu, attrs));
    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, page + offset, &xlat, &n, false, attrs);
    if (!td_memory_access_is_direct(mr, false) ||
        address_space_read(as, page + offset, attrs, buf, n) != MEMTX_OK) {
        return 0;
    }
    return n;
}

static uint32_t read_virtual(CPUState *cpu, uint64_t addr, void *buf,
                             uint32_t len)
{
    uint32_t done = 0, n;

    do {
        n = read_page(cpu, addr + done, (uint8_t *)buf + done, len - done);
        done += n;
    } while (n && done < len);
    return done;
}

/* ---- The call chain ---------------------------------------------------- */

/*
 * A frame is two words: where the caller's frame is, and where to return to.
 * Each lies above the one before and all close together, or it is none.
 */
static uint32_t walk_frames(CPUState *cpu, const struct td_origin *origin,
                            unsigned word, uint64_t *chain)
{
    uint64_t fp = origin->fp;
    uint64_t lowest = origin->sp;
    uint32_t n = 0;

    while (n < TD_MAX_CHAIN && fp >= lowest && fp - origin->sp < STACK_SPAN &&
           fp % word == 0) {
        uint8_t frame[16];
        uint64_t back;

        if (read_virtual(cpu, fp, frame, 2 * word) < 2 * word) {
            break;
        }
        back = word == 8 ? ldq_le_p(frame + 8) : ldl_le_p(frame + 4);
        if (!back) {
            break;
        }
        chain[n++] = back;
        lowest = fp + 2 * word;
        fp = word == 8 ? ldq_le_p(frame) : ldl_le_p(frame);
    }
    return n;
}

/* ---- Stacks ------------------------------------------------------------ */

/* The sequence number of a STACK record that says the same, or of a new one. */
static uint64_t record_stack(TdOrigins *o, CPUState *cpu, uint64_t sp)
{
    Stack *fresh = &o->stacks[o->n_stacks % TD_STACKS];
    struct td_stack record;

    fresh->seq = 0;
    fresh->addr = sp;
    fresh->len = read_virtual(cpu, sp, fresh->bytes, sizeof(fresh->bytes));
    if (!fresh->len) {
        return 0;
    }
    for (unsigned i = 0; i < TD_STACKS; i++) {
        const Stack *s = &o->stacks[i];

        if (s->seq && s->addr == sp && s->len == fresh->len &&
            !memcmp(s->bytes, fresh->bytes, s->len)) {
            return s->seq;
        }
    }
    record = (struct td_stack) {
        .addr = sp, .data = fresh->bytes, .len = fresh->len,
    };
    fresh->seq = td_recorder_stack(o->recorder, &record);
    o->n_stacks += fresh->seq != 0;
    return fresh->seq;
}

/* ---- Origins ----------------------------------------------------------- */

static void look_at(TdOrigins *o, CPUState *cpu, const Machine *m,
                    TdOrigin *origin)
{
    struct td_origin *told = &origin->told;
    unsigned word;

    cpu_synchronize_state(cpu);
    told->kind = TD_ORIGIN_DOORBELL;
    told->cpu = cpu->cpu_index;
    told->machine = m->machine;
    told->pc = CPU_GET_CLASS(cpu)->get_pc(cpu);
    told->sp = read_register(o, cpu, m->sp);
    told->fp = read_register(o, cpu, m->fp);
    told->lr = read_register(o, cpu, m->lr);
    word = word_size(o, cpu, m);
    if (!word) {
        return;
    }
    if (word == 4) {
        told->machine = TD_MACHINE_386;
    }
    told->n_chain = walk_frames(cpu, told, word, origin->chain);
    told->stack_seq = record_stack(o, cpu, told->sp);
}

void td_origin_note(TdOrigins *o, TdOrigin *origin)
{
    CPUState *cpu = current_cpu;
    const Machine *m = cpu ? machine_of(cpu) : NULL;

    origin->told = (struct td_origin) { .kind = TD_ORIGIN_UNSEEN };
    if (m && td_recorder_get_recording(o->recorder)) {
        look_at(o, cpu, m, origin);
    }
}

TdOrigins *td_origins_new(TdRecorder *recorder)
{
    TdOrigins *o = g_new0(TdOrigins, 1);

    o->recorder = recorder;
    o->value = g_byte_array_new();
    return o;
}

void td_origins_free(TdOrigins *o)
{
    if (o) {
        g_byte_array_unref(o->value);
        g_free(o);
    }
}

/* ---- For the user of a DMA watch --------------------------------------- */

static const char *kind_name(enum td_origin_kind kind)
{
    return kind == TD_ORIGIN_DOORBELL ? "doorbell" :
           kind == TD_ORIGIN_INFERRED ? "inferred" : "unseen";
}

void td_origin_add_to(const TdOrigin *origin, QDict *dict)
{
    const struct td_origin *told = &origin->told;
    QDict *member = qdict_new();

    qdict_put_str(member, "kind", kind_name(told->kind));
    if (td_origin_is_known(told)) {
        QList *chain = qlist_new();

        qdict_put_int(member, "cpu", told->cpu);
        qdict_put_int(member, "machine", told->machine);
        qdict_put(member, "pc", qnum_from_uint(told->pc));
        qdict_put(member, "sp", qnum_from_uint(told->sp));
        qdict_put(member, "fp", qnum_from_uint(told->fp));
        for (uint32_t i = 0; i < told->n_chain; i++) {
            qlist_append(chain, qnum_from_uint(origin->chain[i]));
        }
        qdict_put(member, "chain", chain);
    }
    qdict_put(dict, "origin", member);
}

char *td_origins_stack(const TdOrigins *o, const TdOrigin *origin)
{
    uint64_t seq = origin->told.stack_seq;

    for (unsigned i = 0; seq && i < TD_STACKS; i++) {
        const Stack *s = &o->stacks[i];

        if (s->seq == seq) {
            g_autoptr(GString) hex = g_string_new(NULL);

            for (uint32_t j = 0; j < s->len; j++) {
                g_string_append_printf(hex, "%02x", s->bytes[j]);
            }
            return g_strdup(hex->str);
        }
    }
    return NULL;
}
