/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: a whole disk in one option
 *
 *   -drive if=none,id=d0,file=disk.img,format=raw
 *   -device tracedisk,drive=d0[,frontend=ahci][,any property of the front end]
 *   -device tracedisk,drive=d0,frontend=scsi[,hba=virtio-scsi-pci][,any
 *                                property of the disk or of the HBA]
 *
 * Builds one device (ahci) or two (scsi) on the machine's buses. Every property
 * other than "frontend" and "hba" is theirs: it is kept until they exist, then
 * set there, and from then on read and written there. The disk comes first
 * where both have a property of that name.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "hw/scsi/scsi.h"

#define TYPE_TRACEDISK "tracedisk"
OBJECT_DECLARE_SIMPLE_TYPE(TraceDisk, TRACEDISK)

#define AHCI_TYPE "tracedisk-ahci"
#define SCSI_TYPE "tracedisk-scsi"
#define DEFAULT_HBA "virtio-scsi-pci"

struct TraceDisk {
    DeviceState parent_obj;
    char *frontend;
    char *hba_type;
    QDict *pending;             /* properties set before realize */
    DeviceState *disk;          /* with AHCI, disk and HBA are one */
    DeviceState *hba;           /* NULL with AHCI */
};

/* HBAs whose properties the composite can take. */
static const char *const hba_types[] = {
    "virtio-scsi-pci", "megasas", "megasas-gen2", "mptsas1068", "pvscsi",
    "lsi53c895a", "lsi53c810", "am53c974", "dc390", "usb-uas", "usb-bot",
};

/* ---- Forwarded properties ---------------------------------------------- */

/* Who of the devices built has the property; NULL: none, or not built yet. */
static Object *owner_of(const TraceDisk *s, const char *name)
{
    if (s->disk && object_property_find(OBJECT(s->disk), name)) {
        return OBJECT(s->disk);
    }
    if (s->hba && object_property_find(OBJECT(s->hba), name)) {
        return OBJECT(s->hba);
    }
    return NULL;
}

static void forward_get(Object *obj, Visitor *v, const char *name, void *opaque,
                        Error **errp)
{
    Object *owner = owner_of(TRACEDISK(obj), name);

    if (owner) {
        object_property_get(owner, name, v, errp);
    } else {
        error_setg(errp, "'%s' can be read once a device that has it is "
                   "realized", name);
    }
}

static void forward_set(Object *obj, Visitor *v, const char *name, void *opaque,
                        Error **errp)
{
    TraceDisk *s = TRACEDISK(obj);
    Object *owner = owner_of(s, name);
    QObject *value = NULL;

    if (owner) {
        object_property_set(owner, name, v, errp);
    } else if (s->disk) {
        error_setg(errp, "neither disk nor HBA has the property '%s'", name);
    } else if (visit_type_any(v, name, &value, errp)) {
        qdict_put_obj(s->pending, name, value);
    }
}

/*
 * The command line gives every value as a string, which only the visitor for
 * key=value pairs turns into a number or a bool; JSON gives typed values.
 */
static bool set_pending(Object *owner, const char *name, QObject *value,
                        Error **errp)
{
    Visitor *v = qobject_type(value) == QTYPE_QSTRING ?
                 qobject_input_visitor_new_keyval(value) :
                 qobject_input_visitor_new(value);
    bool ok = object_property_set(owner, name, v, errp);

    visit_free(v);
    return ok;
}

static bool set_all_pending(TraceDisk *s, Error **errp)
{
    const QDictEntry *e;

    for (e = qdict_first(s->pending); e; e = qdict_next(s->pending, e)) {
        const char *name = qdict_entry_key(e);
        Object *owner = owner_of(s, name);

        if (!owner) {
            error_setg(errp, "neither %s nor %s has a property '%s'",
                       object_get_typename(OBJECT(s->disk)),
                       s->hba ? object_get_typename(OBJECT(s->hba)) :
                       "another device", name);
            return false;
        }
        if (!set_pending(owner, name, qdict_entry_value(e), errp)) {
            return false;
        }
    }
    return true;
}

/* Every property of @type that this class does not have itself. */
static void add_forwarders(ObjectClass *klass, const char *type)
{
    ObjectPropertyIterator iter;
    ObjectProperty *prop;
    Object *sample;

    if (!object_class_by_name(type)) {
        return;                 /* not built into this QEMU */
    }
    sample = object_new(type);
    object_property_iter_init(&iter, sample);
    while ((prop = object_property_iter_next(&iter))) {
        bool is_link = strstart(prop->type, "link<", NULL);

        if (!object_class_property_find(klass, prop->name) &&
            !strstart(prop->type, "child<", NULL) && (!is_link || prop->set)) {
            object_class_property_add(klass, prop->name,
                                      is_link ? "str" : prop->type,
                                      forward_get, forward_set, NULL, NULL);
        }
    }
    object_unref(sample);
}

/* ---- Building ---------------------------------------------------------- */

typedef struct BusSearch {
    const char *type;
    BusState *found;
} BusSearch;

static int is_bus_wanted(Object *obj, void *opaque)
{
    BusSearch *search = opaque;

    if (!object_dynamic_cast(obj, search->type) ||
        (object_dynamic_cast(obj, TYPE_PCI_BUS) &&
         !pci_bus_is_root(PCI_BUS(obj)))) {
        return 0;
    }
    search->found = BUS(obj);
    return 1;
}

/* The machine's first bus for devices like @dev. */
static BusState *find_bus(DeviceState *dev, Error **errp)
{
    const char *name = object_get_typename(OBJECT(dev));
    BusSearch search = { .type = DEVICE_GET_CLASS(dev)->bus_type };

    if (search.type) {
        object_child_foreach_recursive(object_get_root(), is_bus_wanted,
                                       &search);
    }
    if (!search.found) {
        error_setg(errp, "%s needs a bus of type '%s', and this machine has "
                   "none", name, search.type ?: "?");
        error_append_hint(errp, search.type && !strcmp(search.type, "PCI") ?
                          "Use a machine with PCI, such as q35, pc or arm64's "
                          "virt.\n" :
                          "Add a controller before it, such as -device "
                          "qemu-xhci for USB.\n");
    }
    return search.found;
}

static DeviceState *add_child(TraceDisk *s, const char *name, const char *type)
{
    DeviceState *dev = qdev_new(type);

    object_property_add_child(OBJECT(s), name, OBJECT(dev));
    object_unref(OBJECT(dev));
    return dev;
}

static BusState *scsi_bus_of(DeviceState *hba, Error **errp)
{
    BusSearch search = { .type = TYPE_SCSI_BUS };

    object_child_foreach_recursive(OBJECT(hba), is_bus_wanted, &search);
    if (!search.found) {
        error_setg(errp, "hba=%s has no SCSI bus",
                   object_get_typename(OBJECT(hba)));
    }
    return search.found;
}

static bool realize_on(DeviceState *dev, BusState *bus, Error **errp)
{
    return bus && qdev_realize(dev, bus, errp);
}

static bool build_ahci(TraceDisk *s, Error **errp)
{
    if (s->hba_type) {
        error_setg(errp, "hba=%s needs frontend=scsi", s->hba_type);
        return false;
    }
    s->disk = add_child(s, "frontend-device", AHCI_TYPE);
    return set_all_pending(s, errp) &&
           realize_on(s->disk, find_bus(s->disk, errp), errp);
}

/*
 * Who rings a virtio doorbell can be seen where the write itself does the
 * work, not where it wakes another thread up.
 */
static void set_for_origin(TraceDisk *s)
{
    QObject *origin = qdict_get(s->pending, "origin");
    QString *word = qobject_to(QString, origin);
    QBool *flag = qobject_to(QBool, origin);
    bool on = flag ? qbool_get_bool(flag) :
              word && !strcmp(qstring_get_str(word), "on");

    if (on && !qdict_haskey(s->pending, "ioeventfd") &&
        object_property_find(OBJECT(s->hba), "ioeventfd")) {
        qdict_put_str(s->pending, "ioeventfd", "off");
    }
}

static bool build_scsi(TraceDisk *s, Error **errp)
{
    const char *type = s->hba_type ?: DEFAULT_HBA;
    ObjectClass *class = module_object_class_by_name(type);

    if (!class || !object_class_dynamic_cast(class, TYPE_DEVICE) ||
        object_class_is_abstract(class)) {
        error_setg(errp, "hba=%s is not a device of this QEMU: use one of "
                   "virtio-scsi-pci, megasas, mptsas1068, lsi53c895a …",
                   type);
        return false;
    }
    s->hba = add_child(s, "hba-device", type);
    s->disk = add_child(s, "frontend-device", SCSI_TYPE);
    set_for_origin(s);
    return set_all_pending(s, errp) &&
           realize_on(s->hba, find_bus(s->hba, errp), errp) &&
           realize_on(s->disk, scsi_bus_of(s->hba, errp), errp);
}

static bool build(TraceDisk *s, Error **errp)
{
    if (!s->frontend || !strcmp(s->frontend, "ahci")) {
        return build_ahci(s, errp);
    }
    if (!strcmp(s->frontend, "scsi") && object_class_by_name(SCSI_TYPE)) {
        return build_scsi(s, errp);
    }
    error_setg(errp, "frontend=%s: use ahci or scsi", s->frontend);
    return false;
}

static void remove_child(DeviceState **dev)
{
    if (*dev) {
        object_unparent(OBJECT(*dev));
        *dev = NULL;
    }
}

static void tracedisk_realize(DeviceState *dev, Error **errp)
{
    TraceDisk *s = TRACEDISK(dev);

    if (!build(s, errp)) {
        remove_child(&s->disk);
        remove_child(&s->hba);
    }
}

static void tracedisk_unrealize(DeviceState *dev)
{
    TraceDisk *s = TRACEDISK(dev);

    remove_child(&s->disk);
    remove_child(&s->hba);
}

/* ---- The device -------------------------------------------------------- */

static void tracedisk_instance_init(Object *obj)
{
    TRACEDISK(obj)->pending = qdict_new();
}

static void tracedisk_instance_finalize(Object *obj)
{
    qobject_unref(TRACEDISK(obj)->pending);
}

static TD_PROPERTIES tracedisk_properties[] = {
    DEFINE_PROP_STRING("frontend", TraceDisk, frontend),
    DEFINE_PROP_STRING("hba", TraceDisk, hba_type),
    TD_PROPERTIES_END
};

static void tracedisk_class_init(ObjectClass *klass, TD_CLASS_DATA data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->realize = tracedisk_realize;
    dc->unrealize = tracedisk_unrealize;
    dc->desc = "disk that records its commands and DMA";
    dc->hotpluggable = false;
    device_class_set_props(dc, tracedisk_properties);
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    add_forwarders(klass, AHCI_TYPE);
    add_forwarders(klass, SCSI_TYPE);
    for (size_t i = 0; i < ARRAY_SIZE(hba_types); i++) {
        add_forwarders(klass, hba_types[i]);
    }
}

static const TypeInfo tracedisk_info = {
    .name = TYPE_TRACEDISK,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(TraceDisk),
    .instance_init = tracedisk_instance_init,
    .instance_finalize = tracedisk_instance_finalize,
    .class_init = tracedisk_class_init,
};

static void tracedisk_register_types(void)
{
    type_register_static(&tracedisk_info);
}

type_init(tracedisk_register_types)
