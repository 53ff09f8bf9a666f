# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk under test: ours, or QEMU's own as a control, on each HBA.

A failure that the control shows as well is QEMU's or the guest's, not ours.
"""
from dataclasses import dataclass


@dataclass
class Hba:
    ours: list  # QEMU's arguments; {options} stands for ours
    stock: list
    modules: list  # what Linux drives it with
    flushes: bool = True  # does Linux's driver send the flushes it is asked for?


HBAS = {
    "ahci": Hba(
        ours=["-device", "tracedisk,drive=d0,{options}"],
        stock=["-device", "ich9-ahci,id=hba", "-device", "ide-hd,drive=d0,bus=hba.0"],
        modules=["ahci", "sd_mod"]),
}


def scsi(hba, *modules, before=(), flushes=True):
    """A SCSI HBA; `before` is what it needs, such as a USB controller."""
    return Hba(
        ours=[*before, "-device", f"tracedisk,drive=d0,frontend=scsi,hba={hba},{{options}}"],
        stock=[*before, "-device", f"{hba},id=hba",
               "-device", "scsi-hd,drive=d0,bus=hba.0,wwn=0x5000c50012345678"],
        modules=[*modules, "sd_mod"], flushes=flushes)


XHCI = ["-device", "qemu-xhci"]

HBAS |= {
    "virtio-scsi": scsi("virtio-scsi-pci", "virtio_pci", "virtio_scsi"),
    # Linux leaves the cache of these to their firmware (megasas_queue_command_lck).
    "megasas": scsi("megasas", "megaraid_sas", flushes=False),
    "megasas-gen2": scsi("megasas-gen2", "megaraid_sas", flushes=False),
    "mptsas": scsi("mptsas1068", "mptsas"),
    "pvscsi": scsi("pvscsi", "vmw_pvscsi"),
    "lsi": scsi("lsi53c895a", "sym53c8xx"),
    "am53c974": scsi("am53c974", "am53c974"),
    "usb-uas": scsi("usb-uas", "xhci_pci", "uas", before=XHCI),
    "usb-bot": scsi("usb-bot", "xhci_pci", "usb_storage", before=XHCI),
}


def protocol(hba):
    return "ata" if hba == "ahci" else "scsi"


def arguments(hba, image, options=None):
    """QEMU's arguments for a disk: with `options` ours, without QEMU's own."""
    drive = ["-drive", f"if=none,id=d0,file={image},format=raw,discard=unmap"]
    if options is None:
        return drive + HBAS[hba].stock
    return drive + [argument.format(options=options) for argument in HBAS[hba].ours]
