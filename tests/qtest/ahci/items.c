/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to cover of AHCI 1.3.1: registers (3.1, 3.3), the bits of PxIS
 * and PxSERR that tell something (3.3.5, 3.3.12), structures in memory (4.2),
 * FISes (SATA 3.x 10.5), errors (6.1), resets (10.4) and states of the port
 * (5.3). All bits of PxIS are here; those that this HBA never sets say why.
 */
#include "suite.h"

typedef struct Item {
    const char *id, *name, *unreachable;
} Item;

#define NO_LINK_ERRORS "the emulated link makes no errors"

static const Item items[] = {
    { "register:CAP", "HBA Capabilities" },
    { "register:GHC", "Global HBA Control" },
    { "register:IS", "Interrupt Status" },
    { "register:PI", "Ports Implemented" },
    { "register:VS", "Version" },
    { "register:CCC_CTL", "Command Completion Coalescing Control" },
    { "register:CCC_PORTS", "Command Completion Coalescing Ports" },
    { "register:EM_LOC", "Enclosure Management Location" },
    { "register:EM_CTL", "Enclosure Management Control" },
    { "register:CAP2", "HBA Capabilities Extended" },
    { "register:BOHC", "BIOS/OS Handoff Control and Status" },
    { "register:reserved", "2Ch-9Fh; of a port, 48h-6Fh" },
    { "register:vendor", "A0h-FFh; of a port PxVS, 70h-7Fh" },
    { "register:PxCLB", "Command List Base Address" },
    { "register:PxCLBU", "Command List Base Address, upper 32 bits" },
    { "register:PxFB", "FIS Base Address" },
    { "register:PxFBU", "FIS Base Address, upper 32 bits" },
    { "register:PxIS", "Interrupt Status" },
    { "register:PxIE", "Interrupt Enable" },
    { "register:PxCMD", "Command and Status" },
    { "register:PxTFD", "Task File Data" },
    { "register:PxSIG", "Signature" },
    { "register:PxSSTS", "SStatus" },
    { "register:PxSCTL", "SControl" },
    { "register:PxSERR", "SError" },
    { "register:PxSACT", "SActive" },
    { "register:PxCI", "Command Issue" },
    { "register:PxSNTF", "SNotification" },
    { "register:PxFBS", "FIS-based Switching Control" },
    { "register:PxDEVSLP", "Device Sleep" },

    { "structure:command-header", NULL },
    { "structure:command-table", NULL },
    { "structure:prdt", NULL },
    { "structure:received-fis", NULL },

    { "fis:register-h2d", "Register Host to Device, a command" },
    { "fis:control-h2d", "Register Host to Device, Device Control" },
    { "fis:register-d2h", "Register Device to Host" },
    { "fis:set-device-bits", "Set Device Bits" },
    { "fis:dma-setup", "DMA Setup" },
    { "fis:pio-setup", "PIO Setup" },
    { "fis:bist-activate", "BIST Activate",
      "neither side of the emulated link has a test mode" },
    { "fis:unknown", "into the received-FIS area at 60h",
      "the disk sends no FIS that AHCI does not know" },

    { "interrupt:DHRS", "Device to Host Register FIS" },
    { "interrupt:PSS", "PIO Setup FIS" },
    { "interrupt:DSS", "DMA Setup FIS with the I bit",
      "the disk never sets I in it; fis/dma-setup sees that DSS stays clear" },
    { "interrupt:SDBS", "Set Device Bits FIS" },
    { "interrupt:UFS", "Unknown FIS",
      "the disk sends no FIS that AHCI does not know" },
    { "interrupt:DPS", "Descriptor Processed" },
    { "interrupt:PCS", "Port Connect Change" },
    { "interrupt:DMPS", "Device Mechanical Presence",
      "there is no presence switch: CAP.SMPS is 0" },
    { "interrupt:PRCS", "PhyRdy Change" },
    { "interrupt:IPMS", "Incorrect Port Multiplier",
      "there is no port multiplier: CAP.SPM is 0" },
    { "interrupt:CPDS", "Cold Port Detect",
      "there is no cold presence detection: PxCMD.CPD is 0" },

    { "error:PxIS.OFS", "Overflow" },
    { "error:PxIS.INFS", "Interface Non-fatal Error", NO_LINK_ERRORS },
    { "error:PxIS.IFS", "Interface Fatal Error" },
    { "error:PxIS.HBDS", "Host Bus Data Error",
      "emulated memory has neither parity nor ECC; an address without memory "
      "is HBFS" },
    { "error:PxIS.HBFS", "Host Bus Fatal Error" },
    { "error:PxIS.TFES", "Task File Error" },
    { "error:PxSERR.ERR.I", "Recovered Data Integrity Error", NO_LINK_ERRORS },
    { "error:PxSERR.ERR.M", "Recovered Communications Error", NO_LINK_ERRORS },
    { "error:PxSERR.ERR.T", "Transient Data Integrity Error", NO_LINK_ERRORS },
    { "error:PxSERR.ERR.C", "Persistent Communication Error", NO_LINK_ERRORS },
    { "error:PxSERR.ERR.P", "Protocol Error" },
    { "error:PxSERR.ERR.E", "Internal Error",
      "no state machine of the HBA can fail on its own" },
    { "error:PxSERR.DIAG.N", "PhyRdy Change" },
    { "error:PxSERR.DIAG.I", "Phy Internal Error", NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.W", "Comm Wake",
      "the link is always up: no power state to wake from" },
    { "error:PxSERR.DIAG.B", "10B to 8B Decode Error", NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.D", "Disparity Error", NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.C", "CRC Error", NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.H", "Handshake Error", NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.S", "Link Sequence Error", NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.T", "Transport State Transition Error",
      NO_LINK_ERRORS },
    { "error:PxSERR.DIAG.F", "Unknown FIS Type",
      "the disk sends no FIS that AHCI does not know" },
    { "error:PxSERR.DIAG.X", "Exchanged" },
    { "error:log-10h", "NCQ Command Error" },

    { "reset:HR", "HBA reset" },
    { "reset:COMRESET", "port reset" },
    { "reset:SRST", "software reset" },
    { "reset:CLO", "command list override" },
    { "reset:stop", "PxCMD.ST cleared" },
    { "reset:machine", NULL },

    { "state:start", NULL },
    { "state:issue", NULL },
};

void ahci_items(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
        const Item *item = &items[i];

        if (item->unreachable) {
            td_item_unreachable(item->id, item->name, item->unreachable);
        } else {
            td_item(item->id, item->name);
        }
    }
}
