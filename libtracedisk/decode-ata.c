/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Register Host to Device FIS asks for. Commands: ACS-3, clause 7 (and
 * the obsolete ones that drivers still send: ATA/ATAPI-7). FIS: SATA 3.x 10.5.5.
 */
#include "decode.h"

enum fis_byte {
    FIS_TYPE = 0,
    FIS_FLAGS = 1, /* bit 7: the FIS carries a command */
    FIS_COMMAND = 2,
    FIS_FEATURES = 3,
    FIS_LBA = 4,
    FIS_DEVICE = 7,
    FIS_LBA_EXT = 8,
    FIS_FEATURES_EXT = 11,
    FIS_COUNT = 12,
    FIS_COUNT_EXT = 13,
    FIS_AUXILIARY = 16,
    FIS_LEN = 20,
};

#define FIS_TYPE_H2D 0x27
#define FIS_FLAGS_C 0x80
#define DEVICE_FUA 0x80

enum form {
    NO_LBA, /* fields mean something else */
    LBA28,  /* LBA 27:24 in DEVICE, 8-bit COUNT (but see below) */
    LBA48,  /* 48-bit LBA, 16-bit COUNT */
    NCQ,    /* 48-bit LBA, count in FEATURES, tag in COUNT 7:3 */
    NCQ_NO_LBA,
};

struct ata_command {
    const char *name;
    uint8_t op;
    uint8_t form;
    uint8_t flags;
};

#define R TD_OP_READ
#define W TD_OP_WRITE
#define V TD_OP_VERIFY
#define O TD_OP_OTHER

static const struct ata_command commands[256] = {
    [0x00] = { "NOP", O, NO_LBA, 0 },
    [0x06] = { "DATA SET MANAGEMENT", O, NO_LBA, 0 },
    [0x08] = { "DEVICE RESET", O, NO_LBA, 0 },
    [0x0b] = { "REQUEST SENSE DATA EXT", O, NO_LBA, 0 },
    [0x10] = { "RECALIBRATE", O, NO_LBA, 0 },
    [0x20] = { "READ SECTOR(S)", R, LBA28, TD_PIO },
    [0x21] = { "READ SECTOR(S) WITHOUT RETRY", R, LBA28, TD_PIO },
    [0x24] = { "READ SECTOR(S) EXT", R, LBA48, TD_PIO },
    [0x25] = { "READ DMA EXT", R, LBA48, 0 },
    [0x26] = { "READ DMA QUEUED EXT", O, NO_LBA, TD_DATA_IN },
    [0x27] = { "READ NATIVE MAX ADDRESS EXT", O, NO_LBA, 0 },
    [0x29] = { "READ MULTIPLE EXT", R, LBA48, TD_PIO },
    [0x2a] = { "READ STREAM DMA EXT", R, LBA48, 0 },
    [0x2b] = { "READ STREAM EXT", R, LBA48, TD_PIO },
    [0x2f] = { "READ LOG EXT", O, NO_LBA, TD_PIO | TD_DATA_IN },
    [0x30] = { "WRITE SECTOR(S)", W, LBA28, TD_PIO },
    [0x31] = { "WRITE SECTOR(S) WITHOUT RETRY", W, LBA28, TD_PIO },
    [0x34] = { "WRITE SECTOR(S) EXT", W, LBA48, TD_PIO },
    [0x35] = { "WRITE DMA EXT", W, LBA48, 0 },
    [0x36] = { "WRITE DMA QUEUED EXT", O, NO_LBA, TD_DATA_OUT },
    [0x37] = { "SET MAX ADDRESS EXT", O, NO_LBA, 0 },
    [0x38] = { "CFA WRITE SECTORS WITHOUT ERASE", W, LBA28, TD_PIO },
    [0x39] = { "WRITE MULTIPLE EXT", W, LBA48, TD_PIO },
    [0x3a] = { "WRITE STREAM DMA EXT", W, LBA48, 0 },
    [0x3b] = { "WRITE STREAM EXT", W, LBA48, TD_PIO },
    [0x3d] = { "WRITE DMA FUA EXT", W, LBA48, TD_FUA },
    [0x3e] = { "WRITE DMA QUEUED FUA EXT", O, NO_LBA, TD_DATA_OUT },
    [0x3f] = { "WRITE LOG EXT", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0x40] = { "READ VERIFY SECTOR(S)", V, LBA28, 0 },
    [0x41] = { "READ VERIFY SECTOR(S) WITHOUT RETRY", V, LBA28, 0 },
    [0x42] = { "READ VERIFY SECTOR(S) EXT", V, LBA48, 0 },
    [0x45] = { "WRITE UNCORRECTABLE EXT", O, LBA48, 0 },
    [0x47] = { "READ LOG DMA EXT", O, NO_LBA, TD_DATA_IN },
    [0x51] = { "CONFIGURE STREAM", O, NO_LBA, 0 },
    [0x57] = { "WRITE LOG DMA EXT", O, NO_LBA, TD_DATA_OUT },
    [0x5b] = { "TRUSTED NON-DATA", O, NO_LBA, 0 },
    [0x5c] = { "TRUSTED RECEIVE", O, NO_LBA, TD_PIO | TD_DATA_IN },
    [0x5d] = { "TRUSTED RECEIVE DMA", O, NO_LBA, TD_DATA_IN },
    [0x5e] = { "TRUSTED SEND", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0x5f] = { "TRUSTED SEND DMA", O, NO_LBA, TD_DATA_OUT },
    [0x60] = { "READ FPDMA QUEUED", R, NCQ, 0 },
    [0x61] = { "WRITE FPDMA QUEUED", W, NCQ, 0 },
    [0x63] = { "NCQ QUEUE MANAGEMENT", O, NCQ_NO_LBA, 0 },
    [0x64] = { "SEND FPDMA QUEUED", O, NCQ_NO_LBA, TD_DATA_OUT },
    [0x65] = { "RECEIVE FPDMA QUEUED", O, NCQ_NO_LBA, TD_DATA_IN },
    [0x70] = { "SEEK", O, NO_LBA, 0 },
    [0x77] = { "SET DATE & TIME EXT", O, NO_LBA, 0 },
    [0x78] = { "ACCESSIBLE MAX ADDRESS CONFIGURATION", O, NO_LBA, 0 },
    [0x87] = { "CFA TRANSLATE SECTOR", O, NO_LBA, TD_PIO | TD_DATA_IN },
    [0x90] = { "EXECUTE DEVICE DIAGNOSTIC", O, NO_LBA, 0 },
    [0x91] = { "INITIALIZE DEVICE PARAMETERS", O, NO_LBA, 0 },
    [0x92] = { "DOWNLOAD MICROCODE", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0x93] = { "DOWNLOAD MICROCODE DMA", O, NO_LBA, TD_DATA_OUT },
    [0xa0] = { "PACKET", O, NO_LBA, 0 },
    [0xa1] = { "IDENTIFY PACKET DEVICE", TD_OP_IDENTIFY, NO_LBA, TD_PIO },
    [0xb0] = { "SMART", O, NO_LBA, 0 },
    [0xb1] = { "DEVICE CONFIGURATION OVERLAY", O, NO_LBA, 0 },
    [0xb4] = { "SANITIZE DEVICE", O, NO_LBA, 0 },
    [0xc0] = { "CFA ERASE SECTORS", O, LBA28, 0 },
    [0xc4] = { "READ MULTIPLE", R, LBA28, TD_PIO },
    [0xc5] = { "WRITE MULTIPLE", W, LBA28, TD_PIO },
    [0xc6] = { "SET MULTIPLE MODE", O, NO_LBA, 0 },
    [0xc7] = { "READ DMA QUEUED", O, NO_LBA, TD_DATA_IN },
    [0xc8] = { "READ DMA", R, LBA28, 0 },
    [0xc9] = { "READ DMA WITHOUT RETRY", R, LBA28, 0 },
    [0xca] = { "WRITE DMA", W, LBA28, 0 },
    [0xcb] = { "WRITE DMA WITHOUT RETRY", W, LBA28, 0 },
    [0xcc] = { "WRITE DMA QUEUED", O, NO_LBA, TD_DATA_OUT },
    [0xcd] = { "CFA WRITE MULTIPLE WITHOUT ERASE", W, LBA28, TD_PIO },
    [0xce] = { "WRITE MULTIPLE FUA EXT", W, LBA48, TD_PIO | TD_FUA },
    [0xd1] = { "CHECK MEDIA CARD TYPE", O, NO_LBA, 0 },
    [0xe0] = { "STANDBY IMMEDIATE", O, NO_LBA, 0 },
    [0xe1] = { "IDLE IMMEDIATE", O, NO_LBA, 0 },
    [0xe2] = { "STANDBY", O, NO_LBA, 0 },
    [0xe3] = { "IDLE", O, NO_LBA, 0 },
    [0xe4] = { "READ BUFFER", O, NO_LBA, TD_PIO | TD_DATA_IN },
    [0xe5] = { "CHECK POWER MODE", O, NO_LBA, 0 },
    [0xe6] = { "SLEEP", O, NO_LBA, 0 },
    [0xe7] = { "FLUSH CACHE", TD_OP_FLUSH, NO_LBA, 0 },
    [0xe8] = { "WRITE BUFFER", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0xe9] = { "READ BUFFER DMA", O, NO_LBA, TD_DATA_IN },
    [0xea] = { "FLUSH CACHE EXT", TD_OP_FLUSH, NO_LBA, 0 },
    [0xeb] = { "WRITE BUFFER DMA", O, NO_LBA, TD_DATA_OUT },
    [0xec] = { "IDENTIFY DEVICE", TD_OP_IDENTIFY, NO_LBA, TD_PIO },
    [0xef] = { "SET FEATURES", O, NO_LBA, 0 },
    [0xf1] = { "SECURITY SET PASSWORD", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0xf2] = { "SECURITY UNLOCK", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0xf3] = { "SECURITY ERASE PREPARE", O, NO_LBA, 0 },
    [0xf4] = { "SECURITY ERASE UNIT", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0xf5] = { "SECURITY FREEZE LOCK", O, NO_LBA, 0 },
    [0xf6] = { "SECURITY DISABLE PASSWORD", O, NO_LBA, TD_PIO | TD_DATA_OUT },
    [0xf8] = { "READ NATIVE MAX ADDRESS", O, NO_LBA, 0 },
    [0xf9] = { "SET MAX ADDRESS", O, NO_LBA, 0 },
};

#undef R
#undef W
#undef V
#undef O

/* SMART's subcommands are in FEATURES, ACS-3 7.48. */
static const char *const smart[] = {
    [0x0] = "SMART READ DATA",
    [0x1] = "SMART READ ATTRIBUTE THRESHOLDS",
    [0x2] = "SMART ENABLE/DISABLE ATTRIBUTE AUTOSAVE",
    [0x3] = "SMART SAVE ATTRIBUTE VALUES",
    [0x4] = "SMART EXECUTE OFF-LINE IMMEDIATE",
    [0x5] = "SMART READ LOG",
    [0x6] = "SMART WRITE LOG",
    [0x8] = "SMART ENABLE OPERATIONS",
    [0x9] = "SMART DISABLE OPERATIONS",
    [0xa] = "SMART RETURN STATUS",
    [0xf] = NULL,
};

static void decode_smart(const uint8_t *fis, struct td_decoded *decoded)
{
    unsigned sub = fis[FIS_FEATURES] & 0xf;

    if (fis[FIS_FEATURES] >> 4 != 0xd || !smart[sub]) {
        return;
    }
    decoded->name = smart[sub];
    if (sub == 0 || sub == 1 || sub == 5) {
        decoded->flags |= TD_PIO | TD_DATA_IN;
    } else if (sub == 6) {
        decoded->flags |= TD_PIO | TD_DATA_OUT;
    }
}

/* SEND FPDMA QUEUED carries DATA SET MANAGEMENT as subcommand 0, ACS-3 7.47. */
static void decode_send(const uint8_t *fis, struct td_decoded *decoded)
{
    if ((fis[FIS_COUNT_EXT] & 0x1f) == 0 && (fis[FIS_AUXILIARY] & 1)) {
        decoded->op = TD_OP_TRIM;
    }
}

static uint64_t lba24(const uint8_t *fis, enum fis_byte at)
{
    return fis[at] | (uint64_t)fis[at + 1] << 8 | (uint64_t)fis[at + 2] << 16;
}

static void decode_address(const uint8_t *fis, enum form form, struct td_decoded *decoded)
{
    uint64_t lba48 = lba24(fis, FIS_LBA) | lba24(fis, FIS_LBA_EXT) << 24;
    uint32_t count = fis[FIS_COUNT] | (uint32_t)fis[FIS_COUNT_EXT] << 8;
    uint32_t features = fis[FIS_FEATURES] | (uint32_t)fis[FIS_FEATURES_EXT] << 8;

    switch (form) {
    case LBA28:
        decoded->flags |= TD_HAS_LBA;
        decoded->lba = lba24(fis, FIS_LBA) | (uint64_t)(fis[FIS_DEVICE] & 0xf) << 24;
        /*
         * COUNT 15:8 is reserved here, but QEMU's AHCI takes it for more
         * blocks, and so does ours, for which this is decoded.
         */
        decoded->blocks = count ? count : 256;
        break;
    case LBA48:
        decoded->flags |= TD_HAS_LBA;
        decoded->lba = lba48;
        decoded->blocks = count ? count : 65536;
        break;
    case NCQ:
        decoded->flags |= TD_HAS_LBA | TD_QUEUED | (fis[FIS_DEVICE] & DEVICE_FUA ? TD_FUA : 0);
        decoded->lba = lba48;
        decoded->blocks = features ? features : 65536;
        decoded->queued_tag = fis[FIS_COUNT] >> 3;
        break;
    case NCQ_NO_LBA:
        decoded->flags |= TD_QUEUED;
        decoded->queued_tag = fis[FIS_COUNT] >> 3;
        break;
    case NO_LBA:
        break;
    }
}

void td_decode_ata(const uint8_t *fis, size_t len, struct td_decoded *decoded)
{
    const struct ata_command *command;

    if (len <= FIS_COMMAND || fis[FIS_TYPE] != FIS_TYPE_H2D) {
        decoded->name = "UNKNOWN FIS";
        return;
    }
    if (!(fis[FIS_FLAGS] & FIS_FLAGS_C)) {
        decoded->name = "DEVICE CONTROL";
        return;
    }
    command = &commands[fis[FIS_COMMAND]];
    if (!command->name) {
        decoded->name = "UNKNOWN ATA COMMAND";
        return;
    }
    decoded->name = command->name;
    if (len < FIS_LEN) {
        return;
    }
    decoded->op = (enum td_op)command->op;
    decoded->flags = command->flags;
    decode_address(fis, (enum form)command->form, decoded);
    switch (fis[FIS_COMMAND]) {
    case 0x06: /* FEATURES bit 0: TRIM, ACS-3 7.5 */
        decoded->op = fis[FIS_FEATURES] & 1 ? TD_OP_TRIM : TD_OP_OTHER;
        break;
    case 0x64:
        decode_send(fis, decoded);
        break;
    case 0xb0:
        decode_smart(fis, decoded);
        break;
    }
}
