/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI configuration space, through the I/O ports of mechanism #1. */
#include "pci.h"

#include "io.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u

#define NO_DEVICE 0xffffffffu

static void select(struct pci_device device, uint8_t offset)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)device.bus << 16 |
                             (uint32_t)device.slot << 11 |
                             (uint32_t)device.function << 8 | (offset & 0xfcu));
}

uint32_t pci_read(struct pci_device device, uint8_t offset)
{
    select(device, offset);
    return inl(CONFIG_DATA);
}

void pci_write(struct pci_device device, uint8_t offset, uint32_t value)
{
    select(device, offset);
    outl(CONFIG_DATA, value);
}

/* The first function whose register, shifted, has this value. */
static bool find(uint8_t offset, unsigned shift, uint32_t value, struct pci_device *device)
{
    for (unsigned bus = 0; bus < 256; bus++) {
        for (unsigned devfn = 0; devfn < 256; devfn++) {
            struct pci_device d = { (uint8_t)bus, (uint8_t)(devfn >> 3),
                                    (uint8_t)(devfn & 7) };

            if (pci_read(d, PCI_VENDOR_ID) != NO_DEVICE &&
                pci_read(d, offset) >> shift == value) {
                *device = d;
                return true;
            }
        }
    }
    return false;
}

bool pci_find_class(uint32_t class, struct pci_device *device)
{
    return find(PCI_CLASS_REVISION, 8, class, device);
}

bool pci_find_id(uint16_t vendor, uint16_t device_id, struct pci_device *device)
{
    return find(PCI_VENDOR_ID, 0, (uint32_t)device_id << 16 | vendor, device);
}

uint64_t pci_memory_bar(struct pci_device device, unsigned bar)
{
    uint32_t low = pci_read(device, (uint8_t)PCI_BAR(bar));
    uint64_t high = 0;

    if (low & PCI_BAR_TYPE_64) {
        high = pci_read(device, (uint8_t)PCI_BAR(bar + 1));
    }
    return high << 32 | (low & PCI_BAR_MEMORY_MASK);
}
