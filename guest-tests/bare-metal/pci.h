/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI configuration space, through the I/O ports of mechanism #1. */
#ifndef PCI_H
#define PCI_H

#include <stdbool.h>
#include <stdint.h>

/* Offsets in the configuration header (PCI 3.0, 6.1). */
#define PCI_VENDOR_ID 0x00
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY (1u << 1)
#define PCI_COMMAND_MASTER (1u << 2)
#define PCI_COMMAND_INTX_DISABLE (1u << 10)
#define PCI_CLASS_REVISION 0x08
#define PCI_BAR(n) (0x10 + 4 * (n))
#define PCI_BAR_TYPE_64 0x4
#define PCI_BAR_MEMORY_MASK 0xfffffff0u

struct pci_device {
    uint8_t bus, slot, function;
};

uint32_t pci_read(struct pci_device device, uint8_t offset);
void pci_write(struct pci_device device, uint8_t offset, uint32_t value);

/*
 * Find the first function of a class: base class, sub-class and programming
 * interface as 0xCCSSPP. False when there is none.
 */
bool pci_find_class(uint32_t class, struct pci_device *device);

/* Find the first function of a vendor's device. False when there is none. */
bool pci_find_id(uint16_t vendor, uint16_t device_id, struct pci_device *device);

/* The address of a memory BAR that firmware has assigned; 0 if it has not. */
uint64_t pci_memory_bar(struct pci_device device, unsigned bar);

#endif
