/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's symbols: elfutils for ELF files, a sorted table for kallsyms. */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "tool.h"

/* Of kallsyms, which tells no sizes: a longer function is none. */
#define FUNCTION_MAX 0x10000

struct range_of_code {
    uint64_t first, end;
};

struct kallsym {
    uint64_t addr;
    const char *name; /* in `text` */
    bool code;
};

struct symbols {
    /* An ELF file: addresses in it are `offset` lower. */
    Dwfl *dwfl;
    Dwfl_Module *module;
    uint64_t offset;
    GArray *code; /* struct range_of_code */
    bool attached;
    /* kallsyms */
    char *text;
    GArray *kallsyms; /* struct kallsym, by address */
    /* What symbols_unwind() is about. */
    const struct td_origin *origin;
    const struct td_stack *stack;
    uint64_t *chain;
    size_t n_chain, max;
};

/* ---- ELF --------------------------------------------------------------- */

static int no_separate_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                                 const char *file, const char *link, GElf_Word crc, char **found)
{
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc,
        (void)found;
    return -1;
}

static const Dwfl_Callbacks dwfl_callbacks = {
    .find_debuginfo = no_separate_debuginfo,
    .section_address = dwfl_offline_section_address,
};

static void find_code(struct symbols *s)
{
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(s->module, &bias);
    Elf_Scn *section = NULL;
    GElf_Shdr header;

    while (elf && (section = elf_nextscn(elf, section))) {
        if (gelf_getshdr(section, &header) && (header.sh_flags & SHF_EXECINSTR)) {
            const struct range_of_code range = {
                header.sh_addr + bias, header.sh_addr + bias + header.sh_size,
            };

            g_array_append_val(s->code, range);
        }
    }
}

/* "FILE+OFFSET" into its parts; a file whose name has a plus comes first. */
static char *split_offset(const char *word, uint64_t *offset)
{
    const char *plus = strrchr(word, '+');

    *offset = 0;
    if (!g_file_test(word, G_FILE_TEST_EXISTS) && plus && parse_number(plus + 1, offset))
        return g_strndup(word, (gsize)(plus - word));
    return g_strdup(word);
}

struct symbols *symbols_open_elf(const char *word)
{
    struct symbols *s = g_new0(struct symbols, 1);
    g_autofree char *path = split_offset(word, &s->offset);

    s->code = g_array_new(FALSE, FALSE, sizeof(struct range_of_code));
    s->dwfl = dwfl_begin(&dwfl_callbacks);
    s->module = dwfl_report_elf(s->dwfl, "guest", path, -1, 0, false);
    if (!s->module) {
        say("%s: %s; needed: the guest kernel's ELF file (vmlinux, kernel.debug)", path,
            g_file_test(path, G_FILE_TEST_EXISTS) ? dwfl_errmsg(-1) : g_strerror(ENOENT));
        symbols_close(s);
        return NULL;
    }
    dwfl_report_end(s->dwfl, NULL, NULL);
    find_code(s);
    return s;
}

static bool find_in_elf(struct symbols *s, uint64_t addr, struct symbol *found)
{
    Dwfl_Line *line;
    GElf_Sym symbol;
    GElf_Off offset;

    found->name = dwfl_module_addrinfo(s->module, addr, &offset, &symbol, NULL, NULL, NULL);
    if (!found->name)
        return false;
    found->offset = offset;
    line = dwfl_module_getsrc(s->module, addr);
    if (line)
        found->file = dwfl_lineinfo(line, NULL, &found->line, NULL, NULL, NULL);
    return true;
}

/* ---- kallsyms ---------------------------------------------------------- */

static int compare_address(const void *a, const void *b)
{
    const struct kallsym *x = a, *y = b;

    return (x->addr > y->addr) - (x->addr < y->addr);
}

/* "ffffffff81000000 T _stext", and "[module]" behind the name if it is of one. */
static void read_kallsym(struct symbols *s, char *line)
{
    struct kallsym symbol = { 0 };
    char *end;

    symbol.addr = g_ascii_strtoull(line, &end, 16);
    if (!symbol.addr || end[0] != ' ' || !end[1] || end[2] != ' ')
        return;
    symbol.code = strchr("tTwW", end[1]) != NULL;
    symbol.name = g_strdelimit(g_strstrip(end + 3), "\t", ' ');
    g_array_append_val(s->kallsyms, symbol);
}

struct symbols *symbols_open_kallsyms(const char *path)
{
    g_autoptr(GError) error = NULL;
    struct symbols *s = g_new0(struct symbols, 1);
    char *rest;

    s->kallsyms = g_array_new(FALSE, FALSE, sizeof(struct kallsym));
    if (!g_file_get_contents(path, &s->text, NULL, &error)) {
        say("%s", error->message);
        symbols_close(s);
        return NULL;
    }
    for (char *line = strtok_r(s->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        read_kallsym(s, line);
    if (!s->kallsyms->len) {
        say("%s: no symbol with an address; needed: the guest's /proc/kallsyms as its root sees it",
            path);
        symbols_close(s);
        return NULL;
    }
    g_array_sort(s->kallsyms, compare_address);
    return s;
}

static bool find_in_kallsyms(struct symbols *s, uint64_t addr, struct symbol *found)
{
    const struct kallsym *all = (const struct kallsym *)(void *)s->kallsyms->data, *symbol;
    guint low = 0, high = s->kallsyms->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (all[middle].addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    symbol = low ? &all[low - 1] : NULL;
    if (!symbol || !symbol->code || addr - symbol->addr >= FUNCTION_MAX)
        return false;
    found->name = symbol->name;
    found->offset = addr - symbol->addr;
    return true;
}

/* ---- Both -------------------------------------------------------------- */

void symbols_close(struct symbols *s)
{
    if (!s)
        return;
    if (s->dwfl)
        dwfl_end(s->dwfl);
    if (s->code)
        g_array_unref(s->code);
    if (s->kallsyms)
        g_array_unref(s->kallsyms);
    g_free(s->text);
    g_free(s);
}

bool symbols_find(struct symbols *s, uint64_t addr, struct symbol *found)
{
    *found = (struct symbol){ 0 };
    return s->dwfl ? find_in_elf(s, addr - s->offset, found) : find_in_kallsyms(s, addr, found);
}

bool symbols_is_text(struct symbols *s, uint64_t addr)
{
    struct symbol unused = { 0 };

    if (!s->dwfl)
        return find_in_kallsyms(s, addr, &unused);
    for (guint i = 0; i < s->code->len; i++) {
        const struct range_of_code *range = &g_array_index(s->code, struct range_of_code, i);

        if (addr - s->offset >= range->first && addr - s->offset < range->end)
            return true;
    }
    return false;
}

/* ---- Unwinding --------------------------------------------------------- */

/* libdwfl unwinds processes; ours has one thread, and a stack for memory. */
static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
    pid_t tid = *thread ? 0 : 1;

    (void)dwfl;
    *thread = arg;
    return tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread)
{
    (void)dwfl;
    *thread = arg;
    return tid == 1;
}

static bool read_stack(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
    struct symbols *s = arg;
    const struct td_stack *stack = s->stack;
    uint64_t word;

    (void)dwfl;
    if (addr < stack->addr || stack->len < sizeof(word) ||
        addr - stack->addr > stack->len - sizeof(word))
        return false;
    memcpy(&word, stack->data + (addr - stack->addr), sizeof(word));
    word = GUINT64_FROM_LE(word);
    *result = symbols_is_text(s, word) ? word - s->offset : word;
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    struct symbols *s = arg;
    const struct td_origin *o = s->origin;
    /* Numbers of DWARF: rbp 6, rsp 7, rip 16; x29, x30, sp 31. */
    const Dwarf_Word x86[] = { o->fp, o->sp }, pc = o->pc - s->offset;
    const Dwarf_Word arm[] = { o->fp, o->lr - s->offset, o->sp };

    dwfl_thread_state_register_pc(thread, pc);
    if (o->machine == TD_MACHINE_X86_64)
        return dwfl_thread_state_registers(thread, 6, 2, x86) &&
               dwfl_thread_state_registers(thread, 16, 1, &pc);
    return dwfl_thread_state_registers(thread, 29, 3, arm);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_stack,
    .set_initial_registers = set_registers,
};

static int see_frame(Dwfl_Frame *frame, void *arg)
{
    struct symbols *s = arg;
    bool innermost;
    Dwarf_Addr pc;

    if (!dwfl_frame_pc(frame, &pc, &innermost) || s->n_chain > s->max)
        return DWARF_CB_ABORT;
    if (s->n_chain++ && !symbols_is_text(s, pc + s->offset)) {
        s->n_chain--;
        return DWARF_CB_ABORT;
    }
    if (s->n_chain > 1)
        s->chain[s->n_chain - 2] = pc + s->offset;
    return s->n_chain > s->max ? DWARF_CB_ABORT : DWARF_CB_OK;
}

size_t symbols_unwind(struct symbols *s, const struct td_origin *origin,
                      const struct td_stack *stack, uint64_t *chain, size_t max)
{
    if (!s->dwfl || !stack->len ||
        (origin->machine != TD_MACHINE_X86_64 && origin->machine != TD_MACHINE_AARCH64))
        return 0;
    s->origin = origin;
    s->stack = stack;
    s->chain = chain;
    s->n_chain = 0;
    s->max = max;
    if (!s->attached)
        s->attached = dwfl_attach_state(s->dwfl, NULL, 1, &thread_callbacks, s);
    if (!s->attached)
        return 0;
    dwfl_getthread_frames(s->dwfl, 1, see_frame, s);
    return s->n_chain ? s->n_chain - 1 : 0;
}
