/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: doorbells that HBAs answer later
 *
 * QEMU's mptsas1068 takes a posted request up in a bottom half, where no vCPU
 * is to be seen any more. So its doorbell register is covered by a region that
 * notes who writes, and passes the write on.
 */
#ifndef HW_TRACEDISK_DOORBELL_H
#define HW_TRACEDISK_DOORBELL_H

#include "origin.h"

/* One disk's interest in its HBA's doorbell. */
typedef struct TdDoorbell TdDoorbell;

/* NULL: @hba is none of those, its disks see who rings. */
TdDoorbell *td_doorbell_new(DeviceState *hba, TdOrigins *origins);
void td_doorbell_free(TdDoorbell *d);

/* An origin that was not seen becomes that of the last one who rang. */
void td_doorbell_infer(const TdDoorbell *d, TdOrigin *origin);

#endif
