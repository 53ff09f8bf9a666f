/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bare-metal: a kernel of its own that keeps a disk busy and measures it: one on
 * an AHCI HBA, or, where there is none, on virtio-scsi.
 *
 *   qemu-system-x86_64 -accel tcg -M q35 -m 256 -nodefaults -nographic \
 *       -debugcon stdio -device isa-debug-exit \
 *       -drive if=none,id=d0,driver=null-co,size=1G \
 *       -device ich9-ahci,id=ahci -device ide-hd,drive=d0,bus=ahci.0 \
 *       -kernel bare-metal.elf -append "op=read seconds=2"
 *
 * Words on the command line, with their defaults:
 *
 *   op=read        read, write, verify (write, read back, compare), mixed
 *   size=4096      bytes a command (K and M are understood)
 *   elements=1     elements in its scatter-gather list, of equal size
 *   depth=32       commands outstanding
 *   ncq=1          READ/WRITE FPDMA QUEUED; 0: READ/WRITE DMA EXT (AHCI)
 *   order=sequential   or random
 *   count=0        commands to do; seconds=0: time to run. One must be given.
 *   span=0         bytes of the disk to use; 0: all
 *   bad=0          every so many commands, one beyond the end of the disk,
 *                  which must fail and be recovered from
 *   bug=NAME       a planted bug, see bugs.h
 *
 * It prints "begin" and "end" around the measured time, then the result as
 * name=value pairs. QEMU's exit status is 1 when all went well, 3 when not.
 */
#include "bugs.h"
#include "clock.h"
#include "console.h"
#include "disk.h"
#include "load.h"
#include "memory.h"

/* ---- The command line --------------------------------------------------- */

/* Does the word at s begin with the key? Then *value is what follows. */
static bool has_key(const char *s, const char *key, const char **value)
{
    while (*key) {
        if (*s++ != *key++) {
            return false;
        }
    }
    *value = s;
    return true;
}

static bool is_end(char c)
{
    return c == '\0' || c == ' ';
}

static bool is_word(const char *s, const char *word)
{
    const char *rest;

    return has_key(s, word, &rest) && is_end(*rest);
}

static uint64_t parse_number(const char *s)
{
    const char *start = s;
    uint64_t n = 0;

    while (*s >= '0' && *s <= '9') {
        n = n * 10 + (uint64_t)(*s++ - '0');
    }
    if (*s == 'K' || *s == 'M') {
        n <<= *s++ == 'K' ? 10 : 20;
    }
    if (s == start || !is_end(*s)) {
        die("not a number: %s", start);
    }
    return n;
}

static void parse_word(const char *s, struct load_options *o)
{
    static const char *const ops[] = { "read", "write", "verify", "mixed" };
    const char *v;

    if (has_key(s, "op=", &v)) {
        for (unsigned i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
            if (is_word(v, ops[i])) {
                o->op = (enum load_op)i;
                return;
            }
        }
    } else if (has_key(s, "order=", &v)) {
        o->random = is_word(v, "random");
        if (o->random || is_word(v, "sequential")) {
            return;
        }
    } else if (has_key(s, "size=", &v)) {
        o->size = (uint32_t)parse_number(v);
        return;
    } else if (has_key(s, "elements=", &v)) {
        o->elements = (uint32_t)parse_number(v);
        return;
    } else if (has_key(s, "depth=", &v)) {
        o->depth = (uint32_t)parse_number(v);
        return;
    } else if (has_key(s, "ncq=", &v)) {
        o->ncq = parse_number(v);
        return;
    } else if (has_key(s, "count=", &v)) {
        o->count = parse_number(v);
        return;
    } else if (has_key(s, "seconds=", &v)) {
        o->seconds = parse_number(v);
        return;
    } else if (has_key(s, "span=", &v)) {
        o->span = parse_number(v);
        return;
    } else if (has_key(s, "bad=", &v)) {
        o->bad = parse_number(v);
        return;
    } else if (has_key(s, "bug=", &v)) {
        bug_plant(v);
        return;
    }
    die("command line not understood from here on: %s", s);
}

static void parse(const char *s, struct load_options *o)
{
    *o = (struct load_options){
        .size = 4096, .elements = 1, .depth = 32, .ncq = true,
    };
    for (;;) {
        while (*s == ' ') {
            s++;
        }
        if (!*s) {
            break;
        }
        parse_word(s, o);
        while (!is_end(*s)) {
            s++;
        }
    }
    if (!o->count && !o->seconds) {
        die("give count= or seconds=");
    }
}

/* ---- The kernel --------------------------------------------------------- */

static const struct disk *open_disk(const struct load_options *options)
{
    struct disk_options wanted = { options->elements, options->ncq };
    const struct disk *disk = ahci_disk_open(&wanted);

    if (!disk) {
        disk = virtio_scsi_disk_open(&wanted);
    }
    if (!disk) {
        die("no AHCI HBA, and no virtio-scsi");
    }
    return disk;
}

void main(const struct hvm_start_info *info)
{
    struct load_options options;
    struct load_result r;
    const struct disk *disk;
    uint64_t start, ns;

    memory_init(info);
    clock_init();
    parse((const char *)info->cmdline_paddr, &options);

    disk = open_disk(&options);
    print("disk: %s, %lu blocks of %u bytes, queue depth %u\n", disk->model,
          disk->blocks, disk->block_size, disk->depth);
    load_init(&options, disk);

    print("begin\n");
    start = clock_ns();
    load_run(&r);
    ns = clock_ns() - start;
    print("end\n");

    load_finish(&r);
    disk->close();
    print("commands=%lu bytes=%lu flushes=%lu expected_errors=%lu errors=%lu "
          "polls=%lu ns=%lu\n", r.commands, r.bytes, r.flushes,
          r.expected_errors, r.errors, r.polls, ns);
    finish(r.errors != 0);
}
