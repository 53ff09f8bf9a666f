/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: a whole disk in one option
 *
 *   -drive if=none,id=d0,file=disk.img,format=raw
 *   -device tracedisk,drive=d0[,frontend=ahci][,any property of the front end]
 *
 * Builds the front end on the machine's PCI bus. Every property other than
 * "frontend" is the front end's: it is kept until that exists, then set there,
 * and from then on read and written there.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ahci.h"

#define TYPE_TRACEDISK "tracedisk"
OBJECT_DECLARE_SIMPLE_TYPE(TraceDisk, TRACEDISK)

struct TraceDisk {
    DeviceState parent_obj;
    char *frontend;
    QDict *pending;             /* properties set before realize */
    DeviceState *child;
};

static const char *frontend_type(const TraceDisk *s, Error **errp)
{
    if (!s->frontend || !strcmp(s->frontend, "ahci")) {
        return TYPE_TRACEDISK_AHCI;
    }
    error_setg(errp, "frontend=%s: use ahci", s->frontend);
    return NULL;
}

/* ---- Forwarded properties ---------------------------------------------- */

static void forward_get(Object *obj, Visitor *v, const char *name, void *opaque,
                        Error **errp)
{
    TraceDisk *s = TRACEDISK(obj);

    if (s->child) {
        object_property_get(OBJECT(s->child), name, v, errp);
    } else {
        error_setg(errp, "'%s' can be read once the device is realized", name);
    }
}

static void forward_set(Object *obj, Visitor *v, const char *name, void *opaque,
                        Error **errp)
{
    TraceDisk *s = TRACEDISK(obj);
    QObject *value = NULL;

    if (s->child) {
        object_property_set(OBJECT(s->child), name, v, errp);
    } else if (visit_type_any(v, name, &value, errp)) {
        qdict_put_obj(s->pending, name, value);
    }
}

/*
 * The command line gives every value as a string, which only the visitor for
 * key=value pairs turns into a number or a bool; JSON gives typed values.
 */
static bool set_pending(Object *child, const char *name, QObject *value,
                        Error **errp)
{
    Visitor *v = qobject_type(value) == QTYPE_QSTRING ?
                 qobject_input_visitor_new_keyval(value) :
                 qobject_input_visitor_new(value);
    bool ok = object_property_set(child, name, v, errp);

    visit_free(v);
    return ok;
}

static bool set_all_pending(TraceDisk *s, Object *child, Error **errp)
{
    const QDictEntry *e;

    for (e = qdict_first(s->pending); e; e = qdict_next(s->pending, e)) {
        if (!set_pending(child, qdict_entry_key(e), qdict_entry_value(e),
                         errp)) {
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
    Object *sample = object_new(type);

    object_property_iter_init(&iter, sample);
    while ((prop = object_property_iter_next(&iter))) {
        if (!object_class_property_find(klass, prop->name) &&
            !strstart(prop->type, "child<", NULL) &&
            !strstart(prop->type, "link<", NULL)) {
            object_class_property_add(klass, prop->name, prop->type,
                                      forward_get, forward_set, NULL, NULL);
        }
    }
    object_unref(sample);
}

/* ---- The device -------------------------------------------------------- */

static int find_root_pci_bus(Object *obj, void *opaque)
{
    BusState **bus = opaque;
    Object *pci = object_dynamic_cast(obj, TYPE_PCI_BUS);

    if (!pci || !pci_bus_is_root(PCI_BUS(pci))) {
        return 0;
    }
    *bus = BUS(pci);
    return 1;
}

static void tracedisk_realize(DeviceState *dev, Error **errp)
{
    TraceDisk *s = TRACEDISK(dev);
    const char *type = frontend_type(s, errp);
    BusState *bus = NULL;
    DeviceState *child;

    if (!type) {
        return;
    }
    object_child_foreach_recursive(object_get_root(), find_root_pci_bus, &bus);
    if (!bus) {
        error_setg(errp, "this machine has no PCI bus: use one that has, such "
                   "as q35, pc or arm64's virt");
        return;
    }
    child = qdev_new(type);
    object_property_add_child(OBJECT(s), "frontend-device", OBJECT(child));
    if (!set_all_pending(s, OBJECT(child), errp) ||
        !qdev_realize(child, bus, errp)) {
        object_unparent(OBJECT(child));
        object_unref(OBJECT(child));
        return;
    }
    object_unref(OBJECT(child));
    s->child = child;
}

static void tracedisk_unrealize(DeviceState *dev)
{
    TraceDisk *s = TRACEDISK(dev);

    qdev_unrealize(s->child);
    s->child = NULL;
}

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
    add_forwarders(klass, TYPE_TRACEDISK_AHCI);
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
