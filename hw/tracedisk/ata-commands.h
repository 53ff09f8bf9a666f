/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the ATA commands of the disk, each with its handler in ata.c
 *
 * What is not here is aborted. The conformance suite reads these tables, too:
 * a command without a case of good and one of bad input shows there.
 */
#ifndef HW_TRACEDISK_ATA_COMMANDS_H
#define HW_TRACEDISK_ATA_COMMANDS_H

/* Opcodes, ACS-3 Annex B; 27h and F8h are of ATA8-ACS */
#define ATA_COMMANDS(X) \
    X(0x00, cmd_abort)              /* NOP always ends in ABRT (7.17) */ \
    X(0x06, cmd_data_set_management) \
    X(0x20, cmd_read)               /* READ SECTOR(S) */ \
    X(0x24, cmd_read)               /* READ SECTOR(S) EXT */ \
    X(0x25, cmd_read)               /* READ DMA EXT */ \
    X(0x27, cmd_read_native_max_ext) \
    X(0x29, cmd_read_multiple)      /* READ MULTIPLE EXT */ \
    X(0x2f, cmd_read_log)           /* READ LOG EXT */ \
    X(0x30, cmd_write)              /* WRITE SECTOR(S) */ \
    X(0x34, cmd_write)              /* WRITE SECTOR(S) EXT */ \
    X(0x35, cmd_write)              /* WRITE DMA EXT */ \
    X(0x39, cmd_write_multiple)     /* WRITE MULTIPLE EXT */ \
    X(0x3d, cmd_write)              /* WRITE DMA FUA EXT */ \
    X(0x3f, cmd_write_log)          /* WRITE LOG EXT */ \
    X(0x40, cmd_verify)             /* READ VERIFY SECTOR(S) */ \
    X(0x42, cmd_verify)             /* READ VERIFY SECTOR(S) EXT */ \
    X(0x45, cmd_write_uncorrectable) \
    X(0x47, cmd_read_log)           /* READ LOG DMA EXT */ \
    X(0x57, cmd_write_log)          /* WRITE LOG DMA EXT */ \
    X(0x60, cmd_read_fpdma) \
    X(0x61, cmd_write_fpdma) \
    X(0x90, cmd_diagnostic) \
    X(0xb0, cmd_smart) \
    X(0xc4, cmd_read_multiple) \
    X(0xc5, cmd_write_multiple) \
    X(0xc6, cmd_set_multiple) \
    X(0xc8, cmd_read)               /* READ DMA */ \
    X(0xca, cmd_write)              /* WRITE DMA */ \
    X(0xce, cmd_write_multiple)     /* WRITE MULTIPLE FUA EXT */ \
    X(0xe0, cmd_standby)            /* STANDBY IMMEDIATE */ \
    X(0xe1, cmd_idle)               /* IDLE IMMEDIATE */ \
    X(0xe2, cmd_standby) \
    X(0xe3, cmd_idle) \
    X(0xe5, cmd_check_power) \
    X(0xe6, cmd_standby)            /* SLEEP */ \
    X(0xe7, cmd_flush)              /* FLUSH CACHE */ \
    X(0xea, cmd_flush)              /* FLUSH CACHE EXT */ \
    X(0xec, cmd_identify) \
    X(0xef, cmd_set_features) \
    X(0xf8, cmd_read_native_max)

/* FEATURES of SMART, ACS-3 7.48 */
#define ATA_SMART_COMMANDS(X) \
    X(0xd0, smart_read_data) \
    X(0xd1, smart_read_thresholds) \
    X(0xd2, cmd_nothing)            /* attribute autosave */ \
    X(0xd5, smart_read_log) \
    X(0xd6, smart_write_log) \
    X(0xd8, smart_enable) \
    X(0xd9, smart_disable) \
    X(0xda, cmd_nothing)            /* LBA 23:8 unchanged: all is well */

/* FEATURES of SET FEATURES, ACS-3 7.45 */
#define ATA_FEATURES(X) \
    X(0x02, feature_write_cache_on) \
    X(0x03, feature_transfer_mode) \
    X(0x55, feature_look_ahead)     /* off */ \
    X(0x66, cmd_nothing)            /* keep settings over SRST: always */ \
    X(0x82, feature_write_cache_off) \
    X(0xaa, feature_look_ahead)     /* on */ \
    X(0xcc, cmd_nothing)            /* do not keep them */

#endif
