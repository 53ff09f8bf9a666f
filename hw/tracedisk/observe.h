/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: what a PCI device does on the bus
 *
 * Some HBAs (lsi53c895a, am53c974, USB's) move data themselves and give their
 * disk no scatter-gather list. An observer sees all that such a device
 * accesses as bus master: where each access begins and its direction, page by
 * page, but not its length; and with the data also what the HBA reads and
 * writes for itself. Which accesses carried a payload is found by comparing
 * its bytes with guest memory: nothing is taken for an element that does not
 * hold them.
 */
#ifndef HW_TRACEDISK_OBSERVE_H
#define HW_TRACEDISK_OBSERVE_H

#include "disk.h"

typedef struct TdObserver TdObserver;

/*
 * The observer of @pci, which all who ask for it share. @early: the device may
 * access the memory of a command before the disk has the command (USB).
 */
TdObserver *td_observer_get(PCIDevice *pci, bool early);
void td_observer_put(TdObserver *o);

/* The memory that the device sees, without the observer in between. */
AddressSpace *td_observer_address_space(TdObserver *o);

/* A point in time, for td_observer_match(). */
uint64_t td_observer_now(const TdObserver *o);

/*
 * Right after the device has moved the @bytes of @buf in direction @dir: add
 * the elements that it accessed for that since @since to @t's list. What is
 * not certain about them is in their flags. False: not all bytes were found.
 */
bool td_observer_match(TdObserver *o, uint64_t since, DMADirection dir,
                       const uint8_t *buf, uint32_t bytes, TdTransfer *t);

#endif
