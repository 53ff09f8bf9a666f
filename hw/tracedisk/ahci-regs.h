/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AHCI 1.3.1 registers and memory structures. Section numbers in brackets.
 */
#ifndef HW_TRACEDISK_AHCI_REGS_H
#define HW_TRACEDISK_AHCI_REGS_H

#define AHCI_MAX_PORTS 32
#define AHCI_SLOTS 32

/* Generic host control [3.1], byte offsets */
#define AHCI_CAP        0x00
#define AHCI_GHC        0x04
#define AHCI_IS         0x08
#define AHCI_PI         0x0c
#define AHCI_VS         0x10
#define AHCI_CAP2       0x24
#define AHCI_BOHC       0x28
#define AHCI_PORTS      0x100
#define AHCI_PORT_SIZE  0x80

#define CAP_PMD         (1 << 15)   /* PIO multiple DRQ block */
#define CAP_SAM         (1 << 18)   /* AHCI mode only */
#define CAP_ISS_GEN3    (3 << 20)
#define CAP_SCLO        (1 << 24)   /* command list override */
#define CAP_SNCQ        (1 << 30)
#define CAP_S64A        (1u << 31)
#define CAP_NCS_SHIFT   8

#define GHC_HR          (1 << 0)
#define GHC_IE          (1 << 1)
#define GHC_AE          (1u << 31)

#define VS_1_3          0x00010300

/* Port registers [3.3], offsets in a port */
#define PX_CLB          0x00
#define PX_CLBU         0x04
#define PX_FB           0x08
#define PX_FBU          0x0c
#define PX_IS           0x10
#define PX_IE           0x14
#define PX_CMD          0x18
#define PX_TFD          0x20
#define PX_SIG          0x24
#define PX_SSTS         0x28
#define PX_SCTL         0x2c
#define PX_SERR         0x30
#define PX_SACT         0x34
#define PX_CI           0x38
#define PX_SNTF         0x3c
#define PX_FBS          0x40

#define PX_IS_DHRS      (1 << 0)    /* Device to Host Register FIS */
#define PX_IS_PSS       (1 << 1)    /* PIO Setup FIS */
#define PX_IS_DSS       (1 << 2)    /* DMA Setup FIS */
#define PX_IS_SDBS      (1 << 3)    /* Set Device Bits FIS */
#define PX_IS_UFS       (1 << 4)    /* Unknown FIS; cleared through SERR */
#define PX_IS_DPS       (1 << 5)    /* descriptor (PRD) processed */
#define PX_IS_PCS       (1 << 6)    /* port connect change; through SERR */
#define PX_IS_PRCS      (1 << 22)   /* PhyRdy change; through SERR */
#define PX_IS_OFS       (1 << 24)   /* overflow */
#define PX_IS_IFS       (1 << 27)   /* interface fatal */
#define PX_IS_HBDS      (1 << 28)   /* host bus data error */
#define PX_IS_HBFS      (1 << 29)   /* host bus fatal */
#define PX_IS_TFES      (1 << 30)   /* task file error */
#define PX_IS_DERIVED   (PX_IS_UFS | PX_IS_PCS | PX_IS_PRCS)
#define PX_IE_MASK      0xfdc000ff

#define PX_CMD_ST       (1 << 0)
#define PX_CMD_SUD      (1 << 1)
#define PX_CMD_POD      (1 << 2)
#define PX_CMD_CLO      (1 << 3)
#define PX_CMD_FRE      (1 << 4)
#define PX_CMD_CCS_SHIFT 8
#define PX_CMD_CCS      (0x1f << PX_CMD_CCS_SHIFT)
#define PX_CMD_FR       (1 << 14)
#define PX_CMD_CR       (1 << 15)
#define PX_CMD_ATAPI    (1 << 24)
#define PX_CMD_DLAE     (1 << 25)
/* Without staggered spin-up and cold presence detect SUD and POD read 1. */
#define PX_CMD_WRITABLE (PX_CMD_ST | PX_CMD_FRE | PX_CMD_ATAPI | PX_CMD_DLAE)

#define PX_SSTS_UP      0x133       /* active, Gen3, device and PHY there */
#define PX_SCTL_DET     0xf
#define PX_SCTL_WRITABLE 0xfff
#define PX_SERR_DIAG_N  (1 << 16)   /* PhyRdy change */
#define PX_SERR_DIAG_F  (1 << 25)   /* unknown FIS */
#define PX_SERR_DIAG_X  (1 << 26)   /* exchanged: COMINIT was received */
#define PX_SERR_ERR_P   (1 << 10)   /* protocol error */

#define PX_TFD_RESET    0x7f        /* [3.3.8] until the first FIS */
#define PX_SIG_RESET    0xffffffff
#define PX_SIG_DISK     0x00000101

/* Command list [4.2.2] */
#define CLB_ALIGN       1024
#define CMD_HEADER_SIZE 32
#define CMD_HEADER_PRDBC 4          /* offset of the byte count */
#define CMD_HEADER_CFL  0x1f
#define CMD_HEADER_WRITE (1 << 6)
#define CMD_HEADER_CTBA_MASK (~0x7full)

/* Command table [4.2.3] */
#define CMD_TABLE_PRDT  0x80
#define PRD_SIZE        16
#define PRD_DBC         0x003fffff
#define PRD_I           (1u << 31)

/* Received FIS structure [4.2.1] */
#define FB_ALIGN        256
#define RFIS_DSFIS      0x00
#define RFIS_PSFIS      0x20
#define RFIS_RFIS       0x40
#define RFIS_SDBFIS     0x58
#define RFIS_UFIS       0x60

/* FIS types, SATA 3.x 10.5 */
#define FIS_H2D         0x27
#define FIS_D2H         0x34
#define FIS_DMA_SETUP   0x41
#define FIS_PIO_SETUP   0x5f
#define FIS_SDB         0xa1
#define FIS_I           0x40        /* byte 1: interrupt */
#define FIS_D           0x20        /* byte 1: device to host */
#define FIS_H2D_C       0x80        /* byte 1: command, not control */
#define FIS_H2D_CONTROL 15
#define CONTROL_SRST    0x04

#endif
