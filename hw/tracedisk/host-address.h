/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: where guest memory lies in QEMU's
 *
 * For those who debug QEMU itself, in a host's gdb or rr. HMP has gpa2hva; a
 * VM with a QMP socket only has this.
 */
#ifndef HW_TRACEDISK_HOST_ADDRESS_H
#define HW_TRACEDISK_HOST_ADDRESS_H

#include "qom/object.h"

/*
 * The property "host-address": set to a guest-physical address, it reads as
 * where that is in QEMU's memory, then and there.
 */
void td_host_address_add_property(Object *obj);

#endif
