/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to cover of AHCI 1.3.1: registers (3.1, 3.3), structures in
 * memory (4.2), FISes (SATA 3.x 10.5), interrupts (3.3.5), errors (6.1), resets
 * (10.4) and states of the port (5.3).
 */
#include "suite.h"

static const char *const items[] = {
    "register:CAP", "register:GHC", "register:IS", "register:PI",
    "register:VS", "register:CCC_CTL", "register:CCC_PORTS",
    "register:EM_LOC", "register:EM_CTL", "register:CAP2", "register:BOHC",
    "register:PxCLB", "register:PxCLBU", "register:PxFB", "register:PxFBU",
    "register:PxIS", "register:PxIE", "register:PxCMD", "register:PxTFD",
    "register:PxSIG", "register:PxSSTS", "register:PxSCTL",
    "register:PxSERR", "register:PxSACT", "register:PxCI",
    "register:PxSNTF", "register:PxFBS", "register:PxDEVSLP",
    "structure:command-header", "structure:command-table", "structure:prdt",
    "structure:received-fis",
    "fis:register-h2d", "fis:control-h2d", "fis:register-d2h",
    "fis:set-device-bits", "fis:dma-setup", "fis:pio-setup",
    "interrupt:DHRS", "interrupt:PSS", "interrupt:SDBS", "interrupt:DPS",
    "interrupt:PCS",
    "error:PxIS.OFS", "error:PxIS.IFS", "error:PxIS.HBFS", "error:PxIS.TFES",
    "error:log-10h",
    "reset:HR", "reset:COMRESET", "reset:SRST", "reset:CLO", "reset:stop",
    "reset:machine",
    "state:start", "state:issue",
};

void ahci_items(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
        td_item(items[i], NULL);
    }
}
