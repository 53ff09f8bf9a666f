/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who asked for a command. Its call chain is that of the frame pointers, if
 * they all lead to code; what the kernel's unwind information makes of the
 * stack, if there are none, or if it agrees and has more (the caller of a
 * function without a frame of its own); else every word on the stack that is
 * an address of code: a guess, and said to be one.
 */
#include "origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "tool.h"

#define FRAMES_MAX 128

enum found_by { BY_FRAME_POINTERS, BY_UNWINDING, BY_GUESSING };

struct frames {
    enum found_by by;
    size_t n;
    uint64_t addr[FRAMES_MAX]; /* return addresses, the innermost first */
};

bool origin_options_open(struct origin_options *options)
{
    if (options->elf && options->kallsyms) {
        say("--symbols and --kallsyms: one of them is enough");
        return false;
    }
    if (options->elf)
        options->symbols = symbols_open_elf(options->elf);
    else if (options->kallsyms)
        options->symbols = symbols_open_kallsyms(options->kallsyms);
    else
        return true;
    options->wanted = TRUE;
    return options->symbols;
}

void origin_options_close(struct origin_options *options)
{
    symbols_close(options->symbols);
    g_free(options->elf);
    g_free(options->kallsyms);
}

/* ---- The call chain ---------------------------------------------------- */

static bool all_code(struct symbols *s, const uint64_t *addr, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!symbols_is_text(s, addr[i] - 1))
            return false;
    }
    return n;
}

/* A function is not returned to at its very beginning. */
static void scan(struct symbols *s, const struct td_command *c, struct frames *frames)
{
    const struct td_stack *stack = &c->stack;
    size_t word = c->submit.origin->machine == TD_MACHINE_386 ? 4 : 8;
    struct symbol symbol;

    for (size_t at = 0; at + word <= stack->len && frames->n < FRAMES_MAX; at += word) {
        uint64_t addr = 0;

        memcpy(&addr, stack->data + at, word);
        addr = GUINT64_FROM_LE(addr);
        if (symbols_is_text(s, addr) && symbols_find(s, addr, &symbol) && symbol.offset)
            frames->addr[frames->n++] = addr;
    }
}

/* Whether the outer frames of a are those of b. */
static bool ends_with(const struct frames *a, const struct td_origin *b)
{
    return a->n >= b->n_chain &&
           memcmp(a->addr + a->n - b->n_chain, b->chain, b->n_chain * sizeof(b->chain[0])) == 0;
}

static void find_frames(struct symbols *s, const struct td_command *c, struct frames *frames)
{
    const struct td_origin *o = c->submit.origin;
    bool framed = !s || all_code(s, o->chain, o->n_chain);

    frames->by = BY_UNWINDING;
    frames->n = s ? symbols_unwind(s, o, &c->stack, frames->addr, FRAMES_MAX) : 0;
    if (frames->n && (!framed || ends_with(frames, o)))
        return;
    if (framed) {
        frames->by = BY_FRAME_POINTERS;
        frames->n = o->n_chain;
        memcpy(frames->addr, o->chain, o->n_chain * sizeof(o->chain[0]));
        return;
    }
    frames->by = BY_GUESSING;
    frames->n = 0;
    scan(s, c, frames);
}

/* The innermost address is the doorbell's own; others come after their call. */
static bool name_of(struct symbols *s, uint64_t addr, bool returns, struct symbol *found)
{
    if (!s || !symbols_find(s, addr - (returns ? 1 : 0), found))
        return false;
    found->offset += returns ? 1 : 0;
    return true;
}

/* ---- Text -------------------------------------------------------------- */

static void print_address(struct symbols *s, uint64_t addr, bool returns)
{
    struct symbol symbol;

    printf("0x%" PRIx64, addr);
    if (!name_of(s, addr, returns, &symbol))
        return;
    printf(" %s+0x%" PRIx64, symbol.name, symbol.offset);
    if (symbol.file) {
        g_autofree char *name = g_path_get_basename(symbol.file);

        printf(" (%s:%d)", name, symbol.line);
    }
}

void origin_print_text(const struct origin_options *options, const struct td_command *c,
                       int indent)
{
    const struct td_origin *o = c->submit_known ? c->submit.origin : NULL;
    struct frames frames = { 0 };

    if (!options->wanted || !o)
        return;
    if (!td_origin_is_known(o)) {
        printf("%*s  issued out of sight: not by a CPU's register access\n", indent, "");
        return;
    }
    find_frames(options->symbols, c, &frames);
    printf("%*s  issued by CPU %" PRIu32 "%s at ", indent, "", o->cpu,
           o->kind == TD_ORIGIN_INFERRED ? ", the last to write to the HBA," : "");
    print_address(options->symbols, o->pc, false);
    putchar('\n');
    if (frames.by == BY_GUESSING && frames.n)
        printf("%*s    a guess: what on its stack is an address of code\n", indent, "");
    for (size_t i = 0; i < frames.n; i++) {
        printf("%*s    %s ", indent, "", frames.by == BY_GUESSING ? "from?" : "from");
        print_address(options->symbols, frames.addr[i], true);
        putchar('\n');
    }
}

/* ---- JSON -------------------------------------------------------------- */

static void print_frame(struct json *j, struct symbols *s, uint64_t addr, bool returns,
                        enum found_by by)
{
    static const char *const names[] = { "frame-pointer", "unwind", "guess" };
    struct symbol symbol;

    json_begin_object(j);
    json_key_uint(j, "addr", addr);
    if (name_of(s, addr, returns, &symbol)) {
        json_key_string(j, "symbol", symbol.name);
        json_key_uint(j, "offset", symbol.offset);
        if (symbol.file) {
            json_key_string(j, "file", symbol.file);
            json_key_uint(j, "line", (uint64_t)symbol.line);
        }
    }
    if (returns)
        json_key_string(j, "by", names[by]);
    json_end_object(j);
}

static void print_frames(struct json *j, struct symbols *s, const struct td_command *c)
{
    struct frames frames = { 0 };

    find_frames(s, c, &frames);
    json_key(j, "frames");
    json_begin_array(j);
    print_frame(j, s, c->submit.origin->pc, false, frames.by);
    for (size_t i = 0; i < frames.n; i++)
        print_frame(j, s, frames.addr[i], true, frames.by);
    json_end_array(j);
}

void origin_print_json(struct json *j, const struct origin_options *options,
                       const struct td_command *c)
{
    const struct td_origin *o = c->submit_known ? c->submit.origin : NULL;
    bool known = o && td_origin_is_known(o);

    if (!o)
        return;
    json_key(j, "origin");
    json_begin_object(j);
    json_key_string(j, "kind", !known                          ? "unseen"
                               : o->kind == TD_ORIGIN_DOORBELL ? "doorbell"
                                                               : "inferred");
    if (known) {
        json_key_uint(j, "cpu", o->cpu);
        json_key_uint(j, "pc", o->pc);
        json_key_uint(j, "sp", o->sp);
        json_key(j, "chain");
        json_begin_array(j);
        for (uint32_t i = 0; i < o->n_chain; i++)
            json_uint(j, o->chain[i]);
        json_end_array(j);
    }
    json_end_object(j);
    if (known && options && options->symbols)
        print_frames(j, options->symbols, c);
}
