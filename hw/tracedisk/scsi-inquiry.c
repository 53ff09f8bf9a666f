/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: commands that tell what the disk is
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

#define INQUIRY_BYTES 96

/* ---- INQUIRY, SPC-4 6.6 ------------------------------------------------ */

/* Claimed standards, SPC-4 Table 142 "version descriptor values" */
static const uint16_t version_descriptors[] = {
    0x00a0, /* SAM-5 */
    0x0460, /* SPC-4 */
    0x04c0, /* SBC-3 */
};

static bool standard_inquiry(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    uint8_t *p = scsi_reply(c, INQUIRY_BYTES);

    p[0] = TYPE_DISK;
    p[2] = 6;                   /* SPC-4 */
    p[3] = 0x10 | 2;            /* HISUP, response data format */
    p[4] = INQUIRY_BYTES - 5;
    p[5] = 0x08;                /* 3PC: third-party copy */
    /* WBUS16 and SYNC, for SPI; CMDQUE */
    p[7] = 0x10 | (c->req.bus->info->tcq ? 0x02 : 0);
    strpadcpy((char *)p + 8, 8, s->vendor, ' ');
    strpadcpy((char *)p + 16, 16, s->product, ' ');
    strpadcpy((char *)p + 32, 4, s->version, ' ');
    for (size_t i = 0; i < ARRAY_SIZE(version_descriptors); i++) {
        stw_be_p(p + 58 + 2 * i, version_descriptors[i]);
    }
    return true;
}

/* ---- Vital product data, SPC-4 7.8, SBC-3 6.5 -------------------------- */

#define VPD_MAX 256

typedef unsigned VpdPage(const ScsiRequest *c, uint8_t *p);

static unsigned supported_pages(const ScsiRequest *c, uint8_t *p);

/* [SPC-4 7.8.15] */
static unsigned unit_serial_number(const ScsiRequest *c, uint8_t *p)
{
    const char *serial = scsi_disk(c)->serial;
    unsigned len = MIN(strlen(serial), 36);

    memcpy(p, serial, len);
    return len;
}

/* A designation descriptor [SPC-4 7.8.6.2] */
static unsigned designator(uint8_t *p, uint8_t code_set, uint8_t type,
                           const void *value, uint8_t len)
{
    p[0] = code_set;
    p[1] = type;
    p[3] = len;
    memcpy(p + 4, value, len);
    return 4 + len;
}

/* [SPC-4 7.8.6] */
unsigned scsi_put_designators(const TdScsi *s, uint8_t *p)
{
    uint64_t wwn = cpu_to_be64(s->parent_obj.wwn);
    uint64_t port_wwn = cpu_to_be64(s->parent_obj.port_wwn);
    unsigned serial_len = MIN(strlen(s->serial), 36);
    char t10[8 + 36];
    unsigned n = 0;

    /* NAA, binary */
    n += designator(p + n, 1, 3, &wwn, sizeof(wwn));
    /* T10 vendor identification, ASCII */
    strpadcpy(t10, 8, s->vendor, ' ');
    memcpy(t10 + 8, s->serial, serial_len);
    n += designator(p + n, 2, 1, t10, 8 + serial_len);
    if (port_wwn) {
        /* SAS, of the target port */
        n += designator(p + n, 0x61, 0x93, &port_wwn, sizeof(port_wwn));
    }
    return n;
}

static unsigned device_identification(const ScsiRequest *c, uint8_t *p)
{
    return scsi_put_designators(scsi_disk(c), p);
}

/* Blocks that one command may move: QEMU counts bytes in an int. */
static uint32_t max_transfer_blocks(const TdScsi *s)
{
    uint32_t bytes = MIN_NON_ZERO(blk_get_max_transfer(s->disk.blk), INT32_MAX);

    return bytes / s->disk.block_size;
}

/* [SBC-3 6.5.3] */
static unsigned block_limits(const ScsiRequest *c, uint8_t *p)
{
    const TdScsi *s = scsi_disk(c);
    const BlockConf *conf = &s->parent_obj.conf;
    uint32_t block = s->disk.block_size;

    p[0] = 1;                   /* WSNZ: WRITE SAME of no blocks is an error */
    p[1] = 255;                 /* MAXIMUM COMPARE AND WRITE LENGTH */
    stw_be_p(p + 2, conf->min_io_size / block);
    stl_be_p(p + 4, max_transfer_blocks(s));
    stl_be_p(p + 8, conf->opt_io_size / block);
    if (conf->discard_granularity) {
        stl_be_p(p + 16, SCSI_MAX_UNMAP_BLOCKS); /* MAXIMUM UNMAP LBA COUNT */
        stl_be_p(p + 20, 255);          /* and BLOCK DESCRIPTOR COUNT */
        stl_be_p(p + 24, conf->discard_granularity / block);
        stl_be_p(p + 28, 1u << 31);     /* UGAVALID, alignment 0 */
    }
    stq_be_p(p + 32, SCSI_MAX_SAME_BLOCKS); /* MAXIMUM WRITE SAME LENGTH */
    stl_be_p(p + 40, SCSI_MAX_ATOMIC / block);  /* SBC-4: WRITE ATOMIC */
    return 60;
}

/* [SBC-3 6.5.2] */
static unsigned block_characteristics(const ScsiRequest *c, uint8_t *p)
{
    stw_be_p(p, scsi_disk(c)->rotation_rate);
    p[3] = 0x50;                /* WABEREQ, WACEREQ: erased blocks are read */
    return 60;
}

/* [SBC-3 6.5.4]; what is unmapped reads as zeros: see scsi_run_unmap() */
static unsigned provisioning(const ScsiRequest *c, uint8_t *p)
{
    if (scsi_disk(c)->parent_obj.conf.discard_granularity) {
        p[1] = 0xe4;            /* LBPU, LBPWS, LBPWS10, LBPRZ */
        p[2] = 2;               /* thin provisioned */
    }
    return 4;
}

static const struct {
    uint8_t code;
    VpdPage *make;
} vpd_pages[] = {
    { 0x00, supported_pages },
    { 0x80, unit_serial_number },
    { 0x83, device_identification },
    { 0x8f, scsi_vpd_third_party_copy },
    { 0xb0, block_limits },
    { 0xb1, block_characteristics },
    { 0xb2, provisioning },
};

static unsigned supported_pages(const ScsiRequest *c, uint8_t *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(vpd_pages); i++) {
        p[i] = vpd_pages[i].code;
    }
    return ARRAY_SIZE(vpd_pages);
}

static bool vital_product_data(ScsiRequest *c)
{
    uint8_t code = scsi_cdb(c)[2];
    unsigned len;
    uint8_t *p;

    for (size_t i = 0; i < ARRAY_SIZE(vpd_pages); i++) {
        if (vpd_pages[i].code == code) {
            p = scsi_reply(c, 4 + VPD_MAX);
            len = vpd_pages[i].make(c, p + 4);
            p[0] = TYPE_DISK;
            p[1] = code;
            stw_be_p(p + 2, len);
            scsi_reply_shorten(c, 4 + len);
            return true;
        }
    }
    return scsi_fail_field(c, 2, -1);
}

bool scsi_prepare_inquiry(ScsiRequest *c)
{
    const uint8_t *cdb = scsi_cdb(c);

    if (cdb[1] & 0x02) {
        return scsi_fail_field(c, 1, 1);        /* CMDDT is obsolete */
    }
    if (cdb[1] & 0x01) {
        return vital_product_data(c);
    }
    if (cdb[2]) {
        return scsi_fail_field(c, 2, -1);
    }
    return standard_inquiry(c);
}

/* ---- READ CAPACITY, SBC-3 5.15, 5.16 ----------------------------------- */

bool scsi_prepare_read_capacity_10(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    uint8_t *p;

    /* PMI is obsolete; without it the LBA must be zero. */
    if (!(scsi_cdb(c)[8] & 1) && ldl_be_p(scsi_cdb(c) + 2)) {
        return scsi_fail_field(c, 2, -1);
    }
    p = scsi_reply(c, 8);
    stl_be_p(p, MIN(s->disk.blocks - 1, UINT32_MAX));
    stl_be_p(p + 4, s->disk.block_size);
    return true;
}

bool scsi_prepare_read_capacity_16(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    const BlockConf *conf = &s->parent_obj.conf;
    uint8_t *p;

    if (!(scsi_cdb(c)[14] & 1) && ldq_be_p(scsi_cdb(c) + 2)) {
        return scsi_fail_field(c, 2, -1);
    }
    p = scsi_reply(c, 32);
    stq_be_p(p, s->disk.blocks - 1);
    stl_be_p(p + 8, s->disk.block_size);
    p[13] = get_physical_block_exp((BlockConf *)conf);
    if (conf->discard_granularity) {
        p[14] = 0xc0;           /* LBPME, LBPRZ */
    }
    return true;
}
