/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: where guest memory lies in QEMU's
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "host-address.h"

typedef struct HostAddress {
    bool asked;
    uint64_t guest;
} HostAddress;

/* NULL, and an error, where there is no RAM. */
static QDict *look_up(uint64_t guest, Error **errp)
{
    hwaddr offset, len = 1;
    MemoryRegion *mr;
    QDict *dict;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(&address_space_memory, guest, &offset, &len,
                                 false, MEMTXATTRS_UNSPECIFIED);
    if (!td_memory_access_is_direct(mr, false)) {
        error_setg(errp, "guest-physical address 0x%" PRIx64 " is not RAM",
                   guest);
        return NULL;
    }
    dict = qdict_new();
    qdict_put(dict, "guest", qnum_from_uint(guest));
    qdict_put(dict, "host", qnum_from_uint((uintptr_t)
              memory_region_get_ram_ptr(mr) + offset));
    qdict_put_str(dict, "region", memory_region_name(mr));
    qdict_put(dict, "offset", qnum_from_uint(offset));
    return dict;
}

static void get_host_address(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    HostAddress *h = opaque;
    QDict *dict = h->asked ? look_up(h->guest, errp) : qdict_new();
    QObject *value = QOBJECT(dict);

    if (dict) {
        visit_type_any(v, name, &value, errp);
        qobject_unref(dict);
    }
}

static void set_host_address(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    HostAddress *h = opaque;
    uint64_t guest;
    QDict *dict;

    if (!visit_type_uint64(v, name, &guest, errp)) {
        return;
    }
    dict = look_up(guest, errp);
    if (dict) {
        h->asked = true;
        h->guest = guest;
        qobject_unref(dict);
    }
}

static void release_host_address(Object *obj, const char *name, void *opaque)
{
    g_free(opaque);
}

void td_host_address_add_property(Object *obj)
{
    object_property_add(obj, "host-address", "TdHostAddress", get_host_address,
                        set_host_address, release_host_address,
                        g_new0(HostAddress, 1));
}
