/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci: an AHCI 1.3.1 HBA with ATA disks on its ports
 *
 *   -drive if=none,id=d0,file=disk.img,format=raw
 *   -device tracedisk-ahci,drive=d0
 *
 * PCI identity and class of an ICH9 in AHCI mode, so that every driver binds.
 * This file: the PCI device and the generic host control registers.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ahci.h"
#include "host-address.h"

#define BAR_SIZE        0x2000      /* 32 ports end at 0x1100 */
#define MSI_OFFSET      0x80
#define ICH9_MAP        0x90        /* address map: AHCI mode */
#define ICH9_PCS        0x92        /* port control and status */

/* ---- Interrupts -------------------------------------------------------- */

static void record_interrupt(TdAhci *s, const char *kind, bool level)
{
    struct td_event event = {
        .type = TD_EVENT_INTERRUPT, .has = TD_HAS_VALUE | TD_HAS_TEXT,
        .value = level, .text = kind,
    };

    if (s->registers) {
        td_recorder_event(s->recorder, &event);
    }
}

/*
 * IS.IPS of a port is set while an enabled PxIS bit is, and stays until it is
 * cleared (AHCI 1.3.1 3.1.3). MSI is a message for every bit that appears,
 * INTx a level (10.7.2).
 */
void ahci_update_interrupt(TdAhci *s)
{
    PCIDevice *pci = &s->parent_obj;
    uint32_t was = s->is;
    bool enabled = s->ghc & GHC_IE;

    for (uint32_t i = 0; i < s->n_ports; i++) {
        if (s->port[i].is & s->port[i].ie && !s->port[i].interrupt_held) {
            s->is |= 1u << i;
        }
    }
    if (msi_enabled(pci)) {
        if (enabled && s->is & ~was) {
            record_interrupt(s, "msi", true);
            msi_notify(pci, 0);
        }
        return;
    }
    if (s->irq_level != (enabled && s->is)) {
        s->irq_level = !s->irq_level;
        record_interrupt(s, "intx", s->irq_level);
    }
    pci_set_irq(pci, s->irq_level);
}

/* ---- Generic host control ---------------------------------------------- */

static void hba_reset(TdAhci *s)
{
    for (uint32_t i = 0; i < s->n_ports; i++) {
        ahci_port_reset(&s->port[i]);
    }
    s->ghc = GHC_AE;
    s->is = 0;
    ahci_update_interrupt(s);
}

static uint32_t capabilities(const TdAhci *s)
{
    return CAP_S64A | CAP_SNCQ | CAP_SCLO | CAP_ISS_GEN3 | CAP_SAM | CAP_PMD |
           (AHCI_SLOTS - 1) << CAP_NCS_SHIFT | (s->n_ports - 1);
}

static uint32_t host_read(TdAhci *s, hwaddr offset)
{
    switch (offset) {
    case AHCI_CAP: return capabilities(s);
    case AHCI_GHC: return s->ghc;
    case AHCI_IS:  return s->is;
    case AHCI_PI:  return MAKE_64BIT_MASK(0, s->n_ports);
    case AHCI_VS:  return VS_1_3;
    default:       return 0;
    }
}

static void host_write(TdAhci *s, hwaddr offset, uint32_t value)
{
    switch (offset) {
    case AHCI_GHC:
        if (value & GHC_HR) {
            hba_reset(s);
            break;
        }
        s->ghc = GHC_AE | (value & GHC_IE);
        ahci_update_interrupt(s);
        break;
    case AHCI_IS:
        s->is &= ~value;
        ahci_update_interrupt(s);
        break;
    default:
        break;                  /* read-only or reserved */
    }
}

/* ---- Memory-mapped registers ------------------------------------------- */

static void record_register(TdAhci *s, enum td_event_type type, hwaddr addr,
                            uint64_t value, unsigned size)
{
    struct td_event event = {
        .type = type, .has = TD_HAS_ADDR | TD_HAS_LEN | TD_HAS_VALUE,
        .addr = addr, .len = size, .value = value,
    };

    td_recorder_event(s->recorder, &event);
}

static AhciPort *port_at(TdAhci *s, hwaddr addr, hwaddr *offset)
{
    hwaddr number = (addr - AHCI_PORTS) / AHCI_PORT_SIZE;

    *offset = (addr - AHCI_PORTS) % AHCI_PORT_SIZE;
    return addr >= AHCI_PORTS && number < s->n_ports ? &s->port[number] : NULL;
}

/*
 * Registers are dwords (AHCI 1.3.1 2.2); QEMU turns wider accesses into two.
 * A narrower one reads its part of the dword.
 */
static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    TdAhci *s = opaque;
    hwaddr dword = addr & ~3ull, offset;
    AhciPort *p = port_at(s, dword, &offset);
    uint32_t value;

    if (td_disk_in_device_dma()) {
        return ~0ull;           /* our own DMA came back to us */
    }
    value = p ? ahci_port_read(p, offset) :
            dword < AHCI_PORTS ? host_read(s, dword) : 0;
    value = extract32(value, (addr & 3) * 8, size * 8);
    if (unlikely(s->registers)) {
        record_register(s, TD_EVENT_REGISTER_READ, addr, value, size);
    }
    return value;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t value, unsigned size)
{
    TdAhci *s = opaque;
    hwaddr offset;
    AhciPort *p = port_at(s, addr, &offset);

    if (td_disk_in_device_dma()) {
        td_recorder_guest_error(s->recorder, p ? p->number : 0,
                                "a command's data was written to the HBA's own "
                                "registers, at 0x%" HWADDR_PRIx, addr);
        return;
    }
    if (unlikely(s->registers)) {
        record_register(s, TD_EVENT_REGISTER_WRITE, addr, value, size);
    }
    if (size != 4 || addr & 3) {
        td_recorder_guest_error(s->recorder, p ? p->number : 0,
                                "%u-byte write to register 0x%" HWADDR_PRIx
                                " is ignored: registers are dwords", size,
                                addr);
        return;
    }
    if (p) {
        ahci_port_write(p, offset, value);
    } else if (addr < AHCI_PORTS) {
        host_write(s, addr, value);
    }
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 4 },
};

/* ---- The disks --------------------------------------------------------- */

static bool realize_disk(TdAhci *s, AhciPort *p, Error **errp)
{
    const char *model = s->model ?: "tracedisk";
    const char *firmware = s->firmware ?: "1.0";
    struct td_device description = { .protocol = TD_ATA, .frontend = "ahci" };
    g_autofree char *port = g_strdup_printf("%u", p->number);
    struct td_pair pairs[4];

    p->serial = s->serial && p->number == 0 ? g_strdup(s->serial) :
                g_strdup_printf("TD%05u", p->number + 1);
    pairs[0] = (struct td_pair) { "serial", p->serial };
    pairs[1] = (struct td_pair) { "model", model };
    pairs[2] = (struct td_pair) { "hba", TYPE_TRACEDISK_AHCI };
    pairs[3] = (struct td_pair) { "port", port };
    description.pairs = pairs;
    description.n_pairs = ARRAY_SIZE(pairs);
    p->ata = (AtaDevice) {
        .conf = &p->conf, .serial = p->serial, .model = model,
        .firmware = firmware, .wwn = s->wwn ? s->wwn + p->number : 0,
        .rotation_rate = s->rotation_rate,
    };
    p->ata.strict = s->strict;
    p->ata.disk.watches = s->watches;
    p->ata.disk.faults = s->faults;
    if (!ata_device_realize(&p->ata, errp) ||
        !td_disk_realize(&p->ata.disk, &p->conf, DEVICE(s), &s->options,
                         &description, errp)) {
        return false;
    }
    p->present = true;
    if (!s->recorder) {
        s->recorder = p->ata.disk.recorder;
    }
    return true;
}

static bool realize_ports(TdAhci *s, Error **errp)
{
    for (uint32_t i = 0; i < s->n_ports; i++) {
        AhciPort *p = &s->port[i];

        p->hba = s;
        p->number = i;
        ahci_port_init(p);
        for (unsigned slot = 0; slot < AHCI_SLOTS; slot++) {
            ahci_slot_init(p, slot);
        }
        p->conf = s->conf;
        if (i > 0) {
            p->conf.blk = i <= AHCI_MORE_DRIVES ? s->more[i - 1] : NULL;
        }
        if (p->conf.blk && !realize_disk(s, p, errp)) {
            return false;
        }
    }
    return true;
}

static void free_ports(TdAhci *s)
{
    for (uint32_t i = 0; s->port && i < s->n_ports; i++) {
        AhciPort *p = &s->port[i];

        if (p->present) {
            td_disk_unrealize(&p->ata.disk);
        }
        ahci_port_free(p);
    }
    g_free(s->port);
    s->port = NULL;
    s->recorder = NULL;
}

/* ---- The PCI device ---------------------------------------------------- */

static bool check_properties(TdAhci *s, Error **errp)
{
    uint32_t needed = 1;

    for (uint32_t i = 0; i < AHCI_MORE_DRIVES; i++) {
        needed = s->more[i] ? i + 2 : needed;
    }
    if (s->n_ports == 0) {
        s->n_ports = needed;
    }
    if (s->n_ports > AHCI_MAX_PORTS || s->n_ports < needed) {
        error_setg(errp, "ports=%" PRIu32 ": an AHCI HBA has 1 to %d ports, "
                   "and the drives given need %" PRIu32, s->n_ports,
                   AHCI_MAX_PORTS, needed);
        return false;
    }
    return true;
}

static void restart_commands(void *opaque)
{
    TdAhci *s = opaque;

    for (uint32_t i = 0; s->port && i < s->n_ports; i++) {
        ahci_port_restart(&s->port[i]);
    }
}

static void run_state_changed(void *opaque, bool running, RunState state)
{
    TdAhci *s = opaque;

    if (running) {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), restart_commands, s);
    }
}

static void tracedisk_ahci_realize(PCIDevice *pci, Error **errp)
{
    TdAhci *s = TRACEDISK_AHCI(pci);

    if (!check_properties(s, errp) ||
        !td_faults_realize(s->faults, TD_ATA, errp)) {
        return;
    }
    s->port = g_new0(AhciPort, s->n_ports);
    if (!realize_ports(s, errp)) {
        free_ports(s);
        return;
    }
    pci_config_set_prog_interface(pci->config, 0x01);
    pci_config_set_interrupt_pin(pci->config, 1);
    pci->config[ICH9_MAP] = 1 << 6;
    pci->wmask[ICH9_PCS] = 0x3f;
    memory_region_init_io(&s->mmio, OBJECT(s), &mmio_ops, s,
                          TYPE_TRACEDISK_AHCI, BAR_SIZE);
    pci_register_bar(pci, 5, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    /* Fails on machines without MSI only, which then use INTx. */
    msi_init(pci, MSI_OFFSET, 1, true, false, NULL);
    s->vmstate = qdev_add_vm_change_state_handler(DEVICE(s), run_state_changed,
                                                  s);
    hba_reset(s);
}

static void tracedisk_ahci_exit(PCIDevice *pci)
{
    TdAhci *s = TRACEDISK_AHCI(pci);

    qemu_del_vm_change_state_handler(s->vmstate);
    msi_uninit(pci);
    free_ports(s);
}

static void tracedisk_ahci_reset(DeviceState *dev)
{
    TdAhci *s = TRACEDISK_AHCI(dev);

    for (uint32_t i = 0; i < s->n_ports; i++) {
        s->port[i].clb = s->port[i].fb = 0;
    }
    hba_reset(s);
}

static int post_load(void *opaque, int version_id)
{
    TdAhci *s = opaque;

    for (uint32_t i = 0; i < s->n_ports; i++) {
        ahci_port_post_load(&s->port[i]);
    }
    return 0;
}

static const VMStateDescription vmstate_tracedisk_ahci = {
    .name = TYPE_TRACEDISK_AHCI,
    .version_id = 1,
    .post_load = post_load,
    .fields = (VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, TdAhci),
        VMSTATE_UINT32(ghc, TdAhci),
        VMSTATE_UINT32(is, TdAhci),
        VMSTATE_BOOL(irq_level, TdAhci),
        VMSTATE_UINT32_EQUAL(n_ports, TdAhci, "ports= differs"),
        VMSTATE_STRUCT_VARRAY_POINTER_UINT32(port, TdAhci, n_ports,
                                             vmstate_ahci_port, AhciPort),
        VMSTATE_END_OF_LIST()
    },
};

static TD_PROPERTIES tracedisk_ahci_properties[] = {
    DEFINE_BLOCK_PROPERTIES(TdAhci, conf),
    DEFINE_BLOCK_ERROR_PROPERTIES(TdAhci, conf),
    DEFINE_PROP_DRIVE("drive1", TdAhci, more[0]),
    DEFINE_PROP_DRIVE("drive2", TdAhci, more[1]),
    DEFINE_PROP_DRIVE("drive3", TdAhci, more[2]),
    DEFINE_PROP_DRIVE("drive4", TdAhci, more[3]),
    DEFINE_PROP_DRIVE("drive5", TdAhci, more[4]),
    DEFINE_PROP_UINT32("ports", TdAhci, n_ports, 0),
    DEFINE_PROP_STRING("serial", TdAhci, serial),
    DEFINE_PROP_STRING("model", TdAhci, model),
    DEFINE_PROP_STRING("ver", TdAhci, firmware),
    DEFINE_PROP_UINT64("wwn", TdAhci, wwn, 0),
    DEFINE_PROP_UINT16("rotation_rate", TdAhci, rotation_rate, 0),
    DEFINE_PROP_STRING("trace", TdAhci, options.trace),
    DEFINE_PROP_STRING("hash", TdAhci, options.hash),
    DEFINE_PROP_STRING("overflow", TdAhci, options.overflow),
    DEFINE_PROP_BOOL("origin", TdAhci, options.origin, false),
    DEFINE_PROP_BOOL("sectors", TdAhci, options.sectors, false),
    DEFINE_PROP_STRING("payload", TdAhci, options.payload),
    DEFINE_PROP_BOOL("registers", TdAhci, registers, false),
    DEFINE_PROP_BOOL("strict", TdAhci, strict, false),
    TD_PROPERTIES_END
};

static void tracedisk_ahci_instance_init(Object *obj)
{
    TdAhci *s = TRACEDISK_AHCI(obj);

    s->watches = td_watches_new();
    s->faults = td_faults_new();
    td_recorder_add_properties(obj, &s->recorder);
    td_watches_add_properties(obj, s->watches);
    td_faults_add_property(obj, s->faults);
    td_host_address_add_property(obj);
    device_add_bootindex_property(obj, &s->conf.bootindex, "bootindex",
                                  "/drive@0/disk@0", DEVICE(obj));
}

static void tracedisk_ahci_instance_finalize(Object *obj)
{
    td_watches_free(TRACEDISK_AHCI(obj)->watches);
    td_faults_free(TRACEDISK_AHCI(obj)->faults);
}

static void tracedisk_ahci_class_init(ObjectClass *klass, TD_CLASS_DATA data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = tracedisk_ahci_realize;
    k->exit = tracedisk_ahci_exit;
    k->vendor_id = PCI_VENDOR_ID_INTEL;
    k->device_id = PCI_DEVICE_ID_INTEL_82801IR;
    k->revision = 0x02;
    k->class_id = PCI_CLASS_STORAGE_SATA;
    dc->desc = "AHCI HBA with a disk that records its commands and DMA";
    dc->vmsd = &vmstate_tracedisk_ahci;
    td_device_class_set_reset(dc, tracedisk_ahci_reset);
    device_class_set_props(dc, tracedisk_ahci_properties);
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
}

static const TypeInfo tracedisk_ahci_info = {
    .name = TYPE_TRACEDISK_AHCI,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(TdAhci),
    .instance_init = tracedisk_ahci_instance_init,
    .instance_finalize = tracedisk_ahci_instance_finalize,
    .class_init = tracedisk_ahci_class_init,
    .interfaces = (TD_INTERFACES[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void tracedisk_ahci_register_types(void)
{
    type_register_static(&tracedisk_ahci_info);
}

type_init(tracedisk_ahci_register_types)
