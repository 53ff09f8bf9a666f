/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: mode pages
 *
 * MODE SENSE and MODE SELECT, SPC-4 6.11-6.14; the pages, SPC-4 7.5 and SBC-3
 * 6.4. Each page has its parameters here as bytes, header included, and a mask
 * of the bits that MODE SELECT may change.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

enum { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

#define PS 0x80                 /* parameters savable */
#define ALL_PAGES 0x3f
#define ALL_SUBPAGES 0xff

#define DPOFUA 0x10             /* device-specific parameter, SBC-3 6.4.1 */
#define WP 0x80

enum { CACHING = 4, CONTROL = 5 };
#define CACHING_WCE 0x04        /* byte 2 */
#define CONTROL_SWP 0x08        /* byte 4 */

static const struct {
    uint8_t defaults[SCSI_MODE_PAGE_MAX];
    uint8_t changeable[SCSI_MODE_PAGE_MAX];
} pages[SCSI_MODE_PAGES] = {
    /* Read-write error recovery: AWRE, ARRE [SBC-3 6.4.7] */
    { { 0x01, 0x0a, 0xc0 } },
    /* Disconnect-reconnect [SPC-4 7.5.10] */
    { { 0x02, 0x0e } },
    /* Rigid disk drive geometry, obsolete, but BIOSes ask [SBC-2 6.3.4] */
    { { 0x04, 0x16 } },
    /* Flexible disk, likewise [SBC-2 6.3.3] */
    { { 0x05, 0x1e, 0x13, 0x88 } },
    /* Caching [SBC-3 6.4.5] */
    [CACHING] = { { 0x08, 0x12 }, { 0, 0, CACHING_WCE } },
    /*
     * Control [SPC-4 7.5.8]. D_SENSE cannot be set: QEMU's HBAs hand all
     * sense data over in fixed format.
     */
    [CONTROL] = { { 0x0a, 0x0a, 0x02, 0x10, 0, 0, 0, 0, 0xff, 0xff },
                  { 0, 0, 0, 0, CONTROL_SWP } },
    /* Power condition [SPC-4 7.5.13] */
    { { 0x1a, 0x0a } },
    /* Informational exceptions control [SPC-4 7.5.11] */
    { { 0x1c, 0x0a, 0x08 } },
};

static unsigned page_bytes(unsigned i)
{
    return pages[i].defaults[1] + 2;
}

static void put_default(const TdScsi *s, unsigned i, uint8_t *p)
{
    const BlockConf *conf = &s->parent_obj.conf;

    memcpy(p, pages[i].defaults, SCSI_MODE_PAGE_MAX);
    switch (p[0]) {
    case 0x04:
        p[2] = conf->cyls >> 16;
        stw_be_p(p + 3, conf->cyls);
        p[5] = conf->heads;
        stw_be_p(p + 20, 5400); /* rotations a minute */
        break;
    case 0x05:
        p[4] = conf->heads;
        p[5] = conf->secs;
        stw_be_p(p + 6, s->disk.block_size);
        stw_be_p(p + 8, MIN(conf->cyls, UINT16_MAX));
        stw_be_p(p + 28, 5400);
        break;
    case 0x08:
        /* The drive's write-cache=, which a user chose. */
        p[2] = blk_enable_write_cache(s->disk.blk) ? CACHING_WCE : 0;
        break;
    }
}

void scsi_mode_init(TdScsi *s)
{
    for (unsigned i = 0; i < SCSI_MODE_PAGES; i++) {
        put_default(s, i, s->saved_mode[i]);
    }
    memcpy(s->mode, s->saved_mode, sizeof(s->mode));
}

static void apply(TdScsi *s)
{
    blk_set_enable_write_cache(s->disk.blk,
                               s->mode[CACHING][2] & CACHING_WCE);
}

void scsi_mode_reset(TdScsi *s)
{
    memcpy(s->mode, s->saved_mode, sizeof(s->mode));
    apply(s);
}

bool scsi_mode_software_write_protect(const TdScsi *s)
{
    return s->mode[CONTROL][4] & CONTROL_SWP;
}

/* ---- MODE SENSE -------------------------------------------------------- */

static void put_page(const TdScsi *s, unsigned i, unsigned control, uint8_t *p)
{
    switch (control) {
    case PC_CURRENT:
        memcpy(p, s->mode[i], page_bytes(i));
        if (i == CACHING && !blk_enable_write_cache(s->disk.blk)) {
            p[2] &= ~CACHING_WCE;
        }
        break;
    case PC_CHANGEABLE:
        memcpy(p, pages[i].changeable, page_bytes(i));
        memcpy(p, pages[i].defaults, 2);
        break;
    case PC_DEFAULT:
        memcpy(p, pages[i].defaults, page_bytes(i));
        p[2] |= i == CACHING ? CACHING_WCE : 0;
        break;
    case PC_SAVED:
        memcpy(p, s->saved_mode[i], page_bytes(i));
        break;
    }
    p[0] |= PS;
}

/* Block descriptors [SBC-3 6.4.2]: the short one, or with LLBAA the long. */
static unsigned put_block_descriptor(const TdScsi *s, bool is_long, uint8_t *p)
{
    uint64_t blocks = s->disk.blocks;

    if (is_long) {
        stq_be_p(p, blocks);
        stl_be_p(p + 12, s->disk.block_size);
        return 16;
    }
    stl_be_p(p, MIN(blocks, UINT32_MAX));
    stl_be_p(p + 4, s->disk.block_size & 0xffffff);
    return 8;
}

static bool wants(uint8_t asked, unsigned i)
{
    return asked == ALL_PAGES || asked == pages[i].defaults[0];
}

bool scsi_prepare_mode_sense(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    const uint8_t *cdb = scsi_cdb(c);
    bool is_10 = cdb[0] == MODE_SENSE_10;
    uint8_t asked = cdb[2] & 0x3f;
    unsigned header = is_10 ? 8 : 4;
    unsigned n = header;
    unsigned descriptors = 0;
    uint8_t *p;

    if (cdb[3] && cdb[3] != ALL_SUBPAGES) {
        return scsi_fail_field(c, 3, -1);
    }
    p = scsi_reply(c, 8 + 16 + SCSI_MODE_PAGES * SCSI_MODE_PAGE_MAX);
    if (!(cdb[1] & 0x08)) {     /* DBD */
        bool is_long = is_10 && cdb[1] & 0x10;  /* LLBAA */

        descriptors = put_block_descriptor(s, is_long, p + n);
        p[4] = is_10 && is_long ? 1 : p[4];
        n += descriptors;
    }
    header = n;
    for (unsigned i = 0; i < SCSI_MODE_PAGES; i++) {
        if (wants(asked, i)) {
            put_page(s, i, cdb[2] >> 6, p + n);
            n += page_bytes(i);
        }
    }
    if (n == header) {
        return scsi_fail_field(c, 2, 5);
    }
    if (is_10) {
        stw_be_p(p, n - 2);
        p[3] = DPOFUA | (scsi_write_protected(s) ? WP : 0);
        stw_be_p(p + 6, descriptors);
    } else {
        p[0] = n - 1;
        p[2] = DPOFUA | (scsi_write_protected(s) ? WP : 0);
        p[3] = descriptors;
    }
    scsi_reply_shorten(c, n);
    return true;
}

/* ---- MODE SELECT ------------------------------------------------------- */

bool scsi_prepare_mode_select(ScsiRequest *c)
{
    if (!(scsi_cdb(c)[1] & 0x10)) {
        return scsi_fail_field(c, 1, 4);        /* PF: not vendor specific */
    }
    return true;
}

/* Only the block length that there is can be selected. */
static bool check_block_descriptor(ScsiRequest *c, const uint8_t *list,
                                   unsigned at, unsigned bytes, bool is_long)
{
    const TdScsi *s = scsi_disk(c);
    uint64_t blocks, block_size;

    if (!bytes) {
        return true;
    }
    if (bytes != (is_long ? 16 : 8)) {
        return scsi_fail_parameter(c, at - 1, -1);
    }
    blocks = is_long ? ldq_be_p(list + at) : ldl_be_p(list + at);
    block_size = is_long ? ldl_be_p(list + at + 12) :
                 ldl_be_p(list + at + 4) & 0xffffff;
    if (block_size != s->disk.block_size) {
        return scsi_fail_parameter(c, at + (is_long ? 12 : 5), -1);
    }
    if (blocks && blocks != (is_long ? UINT64_MAX : UINT32_MAX) &&
        blocks != s->disk.blocks) {
        return scsi_fail_parameter(c, at, -1);
    }
    return true;
}

static int find_page(uint8_t code)
{
    for (unsigned i = 0; i < SCSI_MODE_PAGES; i++) {
        if (pages[i].defaults[0] == code) {
            return i;
        }
    }
    return -1;
}

/* Take a page over into @mode; nothing that is not changeable may differ. */
static bool select_page(ScsiRequest *c, uint8_t (*mode)[SCSI_MODE_PAGE_MAX],
                        const uint8_t *list, unsigned at, unsigned left)
{
    const uint8_t *p = list + at;
    int i = find_page(p[0] & 0x7f);     /* PS is reserved here, SPF not */

    if (i < 0) {
        return scsi_fail_parameter(c, at, -1);
    }
    if (p[1] != pages[i].defaults[1]) {
        return scsi_fail_parameter(c, at + 1, -1);
    }
    if (left < page_bytes(i)) {
        return scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
    }
    for (unsigned b = 2; b < page_bytes(i); b++) {
        uint8_t differs = (p[b] ^ mode[i][b]) & ~pages[i].changeable[b];

        if (differs) {
            return scsi_fail_parameter(c, at + b, 31 - clz32(differs));
        }
    }
    memcpy(mode[i] + 2, p + 2, page_bytes(i) - 2);
    return true;
}

void coroutine_fn scsi_run_mode_select(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    bool is_10 = scsi_cdb(c)[0] == MODE_SELECT_10;
    unsigned bytes = c->req.cmd.xfer;
    unsigned at = is_10 ? 8 : 4;
    uint8_t mode[SCSI_MODE_PAGES][SCSI_MODE_PAGE_MAX];
    unsigned descriptors;
    const uint8_t *list;
    int ret;

    if (c->req.cmd.mode == SCSI_XFER_NONE) {
        return;                 /* no parameters: no change */
    }
    if (bytes < at) {
        scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
        return;
    }
    list = scsi_co_receive_all(c);
    if (!list) {
        return;
    }
    descriptors = is_10 ? lduw_be_p(list + 6) : list[3];
    if (descriptors > bytes - at) {
        scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
        return;
    }
    if (!check_block_descriptor(c, list, at, descriptors,
                                is_10 && list[4] & 1)) {
        return;
    }
    memcpy(mode, s->mode, sizeof(mode));
    for (at += descriptors; at < bytes; at += list[at + 1] + 2) {
        if (bytes - at < 2) {
            scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
            return;
        }
        if (!select_page(c, mode, list, at, bytes - at)) {
            return;
        }
    }
    /* What the cache holds must not be forgotten with it. */
    ret = td_transfer_co_flush(&c->transfer);
    if (ret < 0) {
        scsi_fail_io(c, ret, false);
        return;
    }
    memcpy(s->mode, mode, sizeof(mode));
    if (scsi_cdb(c)[1] & 0x01) {        /* SP */
        memcpy(s->saved_mode, mode, sizeof(mode));
    }
    apply(s);
}
