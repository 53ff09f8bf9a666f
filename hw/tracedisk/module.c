/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the ABI guard of the module for a stock QEMU
 *
 * A module has the layout of QEMU's structures compiled in. The guard refuses
 * to run in any QEMU where they are different: first by version, when the
 * module is loaded; then, when all types are registered and before any is
 * used, by the sizes of the QOM types we build on or look into.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "qapi/qapi-commands-control.h"
#include "hw/scsi/scsi.h"

#define ADVICE "  to do:    build a module for this QEMU with script/build, " \
               "and start it with 'tracedisk run'\n"

/* What TypeImpl (qom/object.c) starts with in every QEMU we know. */
typedef struct TypeSizes {
    const char *name;
    size_t class_size;
    size_t instance_size;
} TypeSizes;

static const TypeSizes expected_types[] = {
    { TYPE_OBJECT, sizeof(ObjectClass), sizeof(Object) },
    { TYPE_DEVICE, sizeof(DeviceClass), sizeof(DeviceState) },
    { TYPE_BUS, sizeof(BusClass), sizeof(BusState) },
    { TYPE_PCI_DEVICE, sizeof(PCIDeviceClass), sizeof(PCIDevice) },
    { TYPE_SCSI_BUS, sizeof(BusClass), sizeof(SCSIBus) },
    { TYPE_SCSI_DEVICE, sizeof(SCSIDeviceClass), sizeof(SCSIDevice) },
    { TYPE_MEMORY_REGION, sizeof(MemoryRegionClass), sizeof(MemoryRegion) },
    { TYPE_MACHINE, sizeof(MachineClass), sizeof(MachineState) },
    { TYPE_CPU, sizeof(CPUClass), sizeof(CPUState) },
};

/*
 * Even a stable update changes a function's arguments now and then, so only
 * the very version will do. Runs before any other code of the module, when
 * QEMU's main() has not started: no error_report() yet.
 */
static void __attribute__((constructor(101))) check_version(void)
{
    VersionInfo *running = qmp_query_version(NULL);
    g_autofree char *version = g_strdup_printf(
        "%" PRId64 ".%" PRId64 ".%" PRId64, running->qemu->major,
        running->qemu->minor, running->qemu->micro);

    if (strcmp(version, TRACEDISK_QEMU_VERSION) != 0) {
        fprintf(stderr,
                "tracedisk: the device module does not fit this QEMU\n"
                "  expected: QEMU " TRACEDISK_QEMU_VERSION "\n"
                "  found:    QEMU %s (%s)\n" ADVICE,
                version, running->package);
        _exit(1);
    }
    qapi_free_VersionInfo(running);
}

/* In every QEMU, an object's class starts with its type. */
static bool type_fits(const TypeSizes *expected)
{
    static const TypeSizes none = { "none" };
    ObjectClass *class = object_class_by_name(expected->name);
    const TypeSizes *found = class ? *(const TypeSizes **)class : &none;

    if (!strcmp(found->name, expected->name) &&
        found->class_size == expected->class_size &&
        found->instance_size == expected->instance_size) {
        return true;
    }
    fprintf(stderr,
            "tracedisk: the device module does not fit this QEMU\n"
            "  expected: type '%s' of %zu bytes, class of %zu bytes\n"
            "  found:    type '%s' of %zu bytes, class of %zu bytes\n",
            expected->name, expected->instance_size, expected->class_size,
            found->name, found->instance_size, found->class_size);
    return false;
}

static void check_types(void)
{
    bool fit = true;

    for (size_t i = 0; i < ARRAY_SIZE(expected_types); i++) {
        fit &= type_fits(&expected_types[i]);
    }
    if (!fit) {
        fprintf(stderr, ADVICE);
        _exit(1);
    }
}

/*
 * A preloaded module's initialisers come before QEMU's own; what they add to
 * the list comes after them, when all types are known.
 */
static void check_types_last(void)
{
    register_module_init(check_types, MODULE_INIT_QOM);
}

type_init(check_types_last)
