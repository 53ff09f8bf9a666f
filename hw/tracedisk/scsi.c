/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: the device on QEMU's SCSI bus
 *
 *   -device virtio-scsi-pci -device tracedisk-scsi,drive=d0
 *
 * QEMU's SCSI bus answers some commands before a disk sees them. To have them
 * in the trace, unit attention conditions and sense data are kept here and
 * not in SCSIDevice; REPORT LUNS and commands for other LUNs stay the bus's.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"
#include "host-address.h"

/* ---- Unit attention ---------------------------------------------------- */

static const SCSISense unit_attentions[] = {
    [SCSI_UA_RESET] = { UNIT_ATTENTION, 0x29, 0x00 },
    [SCSI_UA_CAPACITY] = { UNIT_ATTENTION, 0x2a, 0x09 },
    [SCSI_UA_MICROCODE] = { UNIT_ATTENTION, 0x3f, 0x01 },
};

void scsi_set_unit_attention(TdScsi *s, unsigned condition)
{
    qatomic_or(&s->unit_attention, 1u << condition);
}

bool scsi_take_unit_attention(TdScsi *s, SCSISense *sense)
{
    uint32_t pending = qatomic_read(&s->unit_attention);

    if (likely(!pending)) {
        return false;
    }
    *sense = unit_attentions[ctz32(pending)];
    qatomic_and(&s->unit_attention, ~(1u << ctz32(pending)));
    return true;
}

/* An HBA has told the guest by itself, or its guest must not hear of it. */
static void unit_attention_reported(SCSIDevice *dev)
{
    qatomic_set(&TRACEDISK_SCSI(dev)->unit_attention, 0);
}

/* ---- The device -------------------------------------------------------- */

bool scsi_write_protected(const TdScsi *s)
{
    return !blk_is_writable(s->disk.blk) || scsi_mode_software_write_protect(s);
}

static void resized(TdDisk *disk)
{
    TdScsi *s = container_of(disk, TdScsi, disk);

    disk->blocks = MAX(0, blk_getlength(disk->blk)) / disk->block_size;
    s->parent_obj.max_lba = disk->blocks - 1;
    scsi_set_unit_attention(s, SCSI_UA_CAPACITY);
    /* Some HBAs have a way to tell at once. */
    scsi_device_report_change(&s->parent_obj, SENSE_CODE(CAPACITY_CHANGED));
    s->parent_obj.unit_attention = SENSE_CODE(NO_SENSE);
}

/*
 * A name in the format "locally assigned" (SPC-4 7.8.6.6.4), the same in every
 * run: from the drive's name and the serial number.
 */
static uint64_t make_wwn(const TdScsi *s)
{
    uint64_t hash = 0xcbf29ce484222325;     /* FNV-1a */
    g_autofree char *text = g_strdup_printf("%s/%s", s->serial,
                                            blk_name(s->disk.blk));

    for (const char *p = text; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    }
    return deposit64(hash, 60, 4, 3);
}

static bool check_properties(TdScsi *s, Error **errp)
{
    BlockConf *conf = &s->parent_obj.conf;

    if (!conf->blk) {
        error_setg(errp, "drive property not set");
        return false;
    }
    if (!blk_is_inserted(conf->blk)) {
        error_setg(errp, "the drive holds no medium");
        return false;
    }
    if (blk_get_aio_context(conf->blk) != qemu_get_aio_context() &&
        !s->parent_obj.hba_supports_iothread) {
        error_setg(errp, "the HBA does not support iothreads: use one that "
                   "does, such as virtio-scsi-pci");
        return false;
    }
    return true;
}

static void set_default(char **property, const char *value)
{
    if (!*property) {
        *property = g_strdup(value);
    }
}

/*
 * QEMU does not say which HBAs hand sense data over with the status (SAM-5
 * 5.13): all those with scatter-gather lists do, and these.
 */
static bool bus_has_autosense(const SCSIBus *bus)
{
    Object *hba = OBJECT(bus->qbus.parent);

    return bus->info->get_sg_list || object_dynamic_cast(hba, "usb-uas") ||
           object_dynamic_cast(hba, "spapr-vscsi");
}

/*
 * HBAs on PCI and, early, those on a USB controller that is: whatever moves
 * their data. Others (SPARC's, for example) are not observed.
 */
static void observe(TdScsi *s)
{
    BusState *bus = qdev_get_parent_bus(DEVICE(s));
    DeviceState *dev = bus->parent;
    bool early = false;

    if (SCSI_BUS(bus)->info->get_sg_list) {
        return;
    }
    while (dev && !object_dynamic_cast(OBJECT(dev), TYPE_PCI_DEVICE)) {
        bus = qdev_get_parent_bus(dev);
        dev = bus ? bus->parent : NULL;
        early = true;
    }
    if (dev) {
        s->observer = td_observer_get(PCI_DEVICE(dev), early);
    }
}

static bool realize_disk(TdScsi *s, Error **errp)
{
    SCSIDevice *dev = &s->parent_obj;
    DeviceState *hba = qdev_get_parent_bus(DEVICE(s))->parent;
    struct td_device description = { .protocol = TD_SCSI, .frontend = "scsi" };
    g_autofree char *model = NULL;
    g_autofree char *wwn = NULL;
    struct td_pair pairs[4];

    set_default(&s->serial, "TD00001");
    set_default(&s->vendor, "TRACE");
    set_default(&s->product, "tracedisk");
    set_default(&s->version, "1.0");
    if (!dev->wwn) {
        s->disk.blk = dev->conf.blk;
        dev->wwn = make_wwn(s);
        s->disk.blk = NULL;
    }
    /* What a user put there, not what it has inside. */
    if (object_dynamic_cast(OBJECT(hba), "virtio-scsi-device")) {
        hba = qdev_get_parent_bus(hba)->parent;
    }
    model = g_strdup_printf("%s %s", s->vendor, s->product);
    wwn = g_strdup_printf("%016" PRIx64, dev->wwn);
    pairs[0] = (struct td_pair) { "serial", s->serial };
    pairs[1] = (struct td_pair) { "model", model };
    pairs[2] = (struct td_pair) { "wwn", wwn };
    pairs[3] = (struct td_pair) {
        "hba", object_get_typename(OBJECT(hba))
    };
    description.pairs = pairs;
    description.n_pairs = ARRAY_SIZE(pairs);
    s->disk.resized = resized;
    if (!td_disk_realize(&s->disk, &dev->conf, DEVICE(s), &s->options,
                         &description, errp)) {
        return false;
    }
    if (dev->conf.discard_granularity == -1) {
        dev->conf.discard_granularity = MAX(s->disk.block_size, 4 * KiB);
    }
    /* Some tell a geometry to BIOSes that think in one. */
    if (!blkconf_geometry(&dev->conf, NULL, 65535, 255, 255, errp)) {
        td_disk_unrealize(&s->disk);
        return false;
    }
    return true;
}

static void tracedisk_scsi_realize(SCSIDevice *dev, Error **errp)
{
    TdScsi *s = TRACEDISK_SCSI(dev);
    AioContext *ctx;
    bool ok;

    if (!check_properties(s, errp) ||
        !td_faults_realize(s->disk.faults, TD_SCSI, errp)) {
        return;
    }
    ctx = blk_get_aio_context(dev->conf.blk);
    td_aio_context_acquire(ctx);
    ok = realize_disk(s, errp);
    td_aio_context_release(ctx);
    if (!ok) {
        return;
    }
    dev->type = TYPE_DISK;
    dev->blocksize = s->disk.block_size;
    dev->max_lba = s->disk.blocks - 1;
    qemu_co_mutex_init(&s->atomic);
    s->autosense = bus_has_autosense(SCSI_BUS(qdev_get_parent_bus(DEVICE(s))));
    observe(s);
    if (s->disk.origins) {
        s->doorbell = td_doorbell_new(qdev_get_parent_bus(DEVICE(s))->parent,
                                      s->disk.origins);
    }
    scsi_mode_init(s);
    scsi_set_unit_attention(s, SCSI_UA_RESET);
    add_boot_device_lchs(DEVICE(s), NULL, dev->conf.lcyls, dev->conf.lheads,
                         dev->conf.lsecs);
}

static void tracedisk_scsi_unrealize(SCSIDevice *dev)
{
    TdScsi *s = TRACEDISK_SCSI(dev);
    AioContext *ctx = blk_get_aio_context(s->disk.blk);

    del_boot_device_lchs(DEVICE(s), NULL);
    td_doorbell_free(s->doorbell);
    s->doorbell = NULL;
    td_aio_context_acquire(ctx);
    td_disk_unrealize(&s->disk);
    td_aio_context_release(ctx);
    td_observer_put(s->observer);
    s->observer = NULL;
}

/* Of the whole machine, of the bus, or of this logical unit (SAM-5 6.3) */
static void tracedisk_scsi_reset(DeviceState *dev)
{
    TdScsi *s = TRACEDISK_SCSI(dev);
    SCSIDevice *sdev = &s->parent_obj;

    td_recorder_port_event(s->disk.recorder, TD_EVENT_RESET,
                           sdev->id << 16 | sdev->lun, "lun");
    scsi_device_purge_requests(sdev, SENSE_CODE(NO_SENSE));
    s->disk.blocks = MAX(0, blk_getlength(s->disk.blk)) / s->disk.block_size;
    sdev->max_lba = s->disk.blocks - 1;
    s->stopped = false;
    s->reserved = false;
    s->sense_valid = false;
    s->copy.result = 0;
    scsi_mode_reset(s);
    scsi_set_unit_attention(s, SCSI_UA_RESET);
}

static int post_load(void *opaque, int version_id)
{
    TdScsi *s = opaque;
    struct td_event event = { .type = TD_EVENT_LOADVM };
    bool bad = s->bad_migration;

    s->bad_migration = false;
    if (bad) {
        return -EINVAL;         /* scsi_load_request() has said why */
    }
    td_recorder_event(s->disk.recorder, &event);
    return 0;
}

static const VMStateDescription vmstate_tracedisk_scsi = {
    .name = TYPE_TRACEDISK_SCSI,
    .version_id = 2,
    .minimum_version_id = 1,
    .post_load = post_load,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(unit_attention, TdScsi),
        VMSTATE_UINT8_ARRAY(sense, TdScsi, SCSI_SENSE_LEN_FIXED),
        VMSTATE_BOOL(sense_valid, TdScsi),
        VMSTATE_BOOL(stopped, TdScsi),
        VMSTATE_UINT8_2DARRAY(mode, TdScsi, SCSI_MODE_PAGES,
                              SCSI_MODE_PAGE_MAX),
        VMSTATE_UINT8_2DARRAY(saved_mode, TdScsi, SCSI_MODE_PAGES,
                              SCSI_MODE_PAGE_MAX),
        VMSTATE_UINT64(reservation_key, TdScsi),
        VMSTATE_BOOL(registered, TdScsi),
        VMSTATE_UINT32(pr_generation, TdScsi),
        VMSTATE_UINT8(reservation_type, TdScsi),
        VMSTATE_BOOL_V(reserved, TdScsi, 2),
        VMSTATE_UINT8(copy.result, TdScsi),
        VMSTATE_UINT8(copy.list_id, TdScsi),
        VMSTATE_UINT16(copy.segments, TdScsi),
        VMSTATE_UINT64(copy.bytes, TdScsi),
        VMSTATE_UINT8_ARRAY(buffer, TdScsi, SCSI_BUFFER_BYTES),
        /* Last: it brings requests, which look at the above. */
        VMSTATE_SCSI_DEVICE(parent_obj, TdScsi),
        VMSTATE_END_OF_LIST()
    },
};

static TD_PROPERTIES tracedisk_scsi_properties[] = {
    DEFINE_BLOCK_PROPERTIES(TdScsi, parent_obj.conf),
    DEFINE_BLOCK_ERROR_PROPERTIES(TdScsi, parent_obj.conf),
    DEFINE_BLOCK_CHS_PROPERTIES(TdScsi, parent_obj.conf),
    DEFINE_PROP_STRING("serial", TdScsi, serial),
    DEFINE_PROP_STRING("vendor", TdScsi, vendor),
    DEFINE_PROP_STRING("product", TdScsi, product),
    DEFINE_PROP_STRING("ver", TdScsi, version),
    DEFINE_PROP_UINT64("wwn", TdScsi, parent_obj.wwn, 0),
    DEFINE_PROP_UINT16("rotation_rate", TdScsi, rotation_rate, 0),
    DEFINE_PROP_STRING("trace", TdScsi, options.trace),
    DEFINE_PROP_STRING("hash", TdScsi, options.hash),
    DEFINE_PROP_STRING("overflow", TdScsi, options.overflow),
    DEFINE_PROP_BOOL("origin", TdScsi, options.origin, false),
    DEFINE_PROP_BOOL("sectors", TdScsi, options.sectors, false),
    DEFINE_PROP_STRING("payload", TdScsi, options.payload),
    DEFINE_PROP_BOOL("strict", TdScsi, strict, false),
    TD_PROPERTIES_END
};

static void tracedisk_scsi_instance_init(Object *obj)
{
    TdScsi *s = TRACEDISK_SCSI(obj);

    s->disk.watches = td_watches_new();
    s->disk.faults = td_faults_new();
    td_recorder_add_properties(obj, &s->disk.recorder);
    td_watches_add_properties(obj, s->disk.watches);
    td_faults_add_property(obj, s->disk.faults);
    td_host_address_add_property(obj);
}

static void tracedisk_scsi_instance_finalize(Object *obj)
{
    td_watches_free(TRACEDISK_SCSI(obj)->disk.watches);
    td_faults_free(TRACEDISK_SCSI(obj)->disk.faults);
}

static void tracedisk_scsi_class_init(ObjectClass *klass, TD_CLASS_DATA data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    SCSIDeviceClass *sc = SCSI_DEVICE_CLASS(klass);

    sc->realize = tracedisk_scsi_realize;
    sc->unrealize = tracedisk_scsi_unrealize;
    sc->alloc_req = scsi_request_new;
    sc->parse_cdb = scsi_request_parse;
    sc->unit_attention_reported = unit_attention_reported;
    dc->fw_name = "disk";
    dc->desc = "SCSI disk that records its commands and DMA";
    dc->vmsd = &vmstate_tracedisk_scsi;
    td_device_class_set_reset(dc, tracedisk_scsi_reset);
    device_class_set_props(dc, tracedisk_scsi_properties);
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
}

static const TypeInfo tracedisk_scsi_info = {
    .name = TYPE_TRACEDISK_SCSI,
    .parent = TYPE_SCSI_DEVICE,
    .instance_size = sizeof(TdScsi),
    .instance_init = tracedisk_scsi_instance_init,
    .instance_finalize = tracedisk_scsi_instance_finalize,
    .class_init = tracedisk_scsi_class_init,
};

static void tracedisk_scsi_register_types(void)
{
    type_register_static(&tracedisk_scsi_info);
}

type_init(tracedisk_scsi_register_types)
