/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands as an AHCI disk under load records them: what bench programs write. */
#include "job.h"

#define SECTOR 512u
#define PAGE 4096u
#define DISK (8u << 20) /* blocks */
#define BUFFERS 0x4000000ull     /* guest memory: 1 MiB for each slot */
#define RECEIVED_SDB 0x3f0058ull /* where the HBA puts its Set Device Bits FIS */

static void note(struct job *job, int result)
{
    job->failures += result != 0;
}

void job_begin(struct job *job, struct td_stream *stream)
{
    const struct td_pair keys[] = { { "tracedisk", "bench" }, { "clock", "virtual" } };
    const struct td_header header = { .pairs = keys, .n_pairs = 2 };
    const struct td_device device = {
        .id = 0,
        .protocol = TD_ATA,
        .logical_block_size = SECTOR,
        .physical_block_size = SECTOR,
        .blocks = job->blocks ? job->blocks : DISK,
        .name = "d0",
        .frontend = "ahci",
        .hash = job->digests ? TD_HASH_XXH3 : TD_HASH_NONE,
    };

    job->stream = stream;
    note(job, td_put_header(stream, job->time_ns, &header, NULL));
    note(job, td_put_device(stream, job->time_ns, &device, NULL));
}

static uint64_t next_random(struct job *job)
{
    job->random = job->random * 6364136223846793005u + 1442695040888963407u;
    return job->random >> 33;
}

/* READ or WRITE FPDMA QUEUED, or FLUSH CACHE EXT, as a Register Host to Device FIS. */
static void make_fis(uint8_t *fis, unsigned slot, const struct job_command *c)
{
    uint32_t blocks = c->pages * PAGE / SECTOR;

    fis[0] = 0x27;
    fis[1] = 0x80;
    fis[2] = c->flush ? 0xea : c->write ? 0x61 : 0x60;
    fis[7] = 0x40;
    if (c->flush) {
        return;
    }
    fis[3] = (uint8_t)blocks;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(c->lba >> (8 * i));
        fis[8 + i] = (uint8_t)(c->lba >> (24 + 8 * i));
    }
    fis[11] = (uint8_t)(blocks >> 8);
    fis[12] = (uint8_t)(slot << 3);
}

void job_submit(struct job *job, unsigned slot, const struct job_command *c)
{
    uint8_t fis[20] = { 0 };
    struct td_element elements[JOB_MAX_ELEMENTS];
    const struct td_submit record = {
        .protocol = TD_ATA,
        .tag = slot,
        .raw = fis,
        .raw_len = sizeof(fis),
        .elements = elements,
        .n_elements = c->pages,
    };

    /* The last page first, so that no element continues the one before. */
    for (uint32_t i = 0; i < c->pages; i++) {
        elements[i] = (struct td_element){
            .addr = BUFFERS + ((uint64_t)slot << 20) + (uint64_t)(c->pages - 1 - i) * PAGE +
                    c->offset,
            .len = PAGE,
        };
    }
    make_fis(fis, slot, c);
    note(job, td_put_submit(job->stream, job->time_ns, &record, &job->seq[slot]));
    job->time_ns += 500;
}

void job_complete(struct job *job, unsigned slot, const struct job_command *c)
{
    uint64_t sectors[JOB_MAX_ELEMENTS * PAGE / SECTOR];
    const struct td_metadata sdb = { TD_META_SDB_FIS, 8, RECEIVED_SDB };
    struct td_complete record = {
        .submit_seq = job->seq[slot],
        .status = c->error ? TD_ERROR : TD_GOOD,
        .bytes = c->error ? 0 : c->pages * PAGE,
        .residual = c->error ? c->pages * PAGE : 0,
        .has_ata = true,
        .ata_status = c->error ? 0x51 : 0x50,
        .ata_error = c->error ? 0x40 : 0,
        .metadata = &sdb,
        .n_metadata = 1,
    };

    if (c->payload) {
        job->random = c->payload;
    }
    if (job->digests && record.bytes) { /* any bytes do: digests do not compress */
        record.digest.kind = TD_HASH_XXH3;
        for (unsigned i = 0; i < TD_DIGEST_MAX; i++) {
            record.digest.bytes[i] = (uint8_t)next_random(job);
        }
    }
    if (job->sectors) {
        record.n_sectors = record.bytes / SECTOR;
        record.sectors = (const uint8_t *)sectors;
        for (uint32_t i = 0; i < record.n_sectors; i++) {
            sectors[i] = next_random(job) << 32 ^ next_random(job);
        }
    }
    note(job, td_put_complete(job->stream, job->time_ns, &record, NULL));
    job->time_ns += 500;
}

/* Random as they come, so that runs of a job are not alike. */
static struct job_command next_command(struct job *job)
{
    struct job_command c = { .pages = 1 };

    if (job->mixed) {
        c.pages = 1 + (uint32_t)next_random(job) % JOB_MAX_ELEMENTS;
        c.write = next_random(job) % 3 == 0;
        job->lba = next_random(job) % (job->blocks ? job->blocks : DISK) & ~7ull;
    }
    c.lba = job->lba;
    job->lba += c.pages * PAGE / SECTOR;
    return c;
}

void job_round(struct job *job)
{
    struct job_command commands[JOB_DEPTH];

    for (unsigned slot = 0; slot < JOB_DEPTH; slot++) {
        commands[slot] = next_command(job);
        job_submit(job, slot, &commands[slot]);
    }
    for (unsigned slot = 0; slot < JOB_DEPTH; slot++) {
        job_complete(job, slot, &commands[slot]);
    }
}
