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


HBAS = {
    "ahci": Hba(
        ours=["-device", "tracedisk,drive=d0,{options}"],
        stock=["-device", "ich9-ahci,id=hba", "-device", "ide-hd,drive=d0,bus=hba.0"],
        modules=["ahci", "sd_mod"]),
}


def arguments(hba, image, options=None):
    """QEMU's arguments for a disk: with `options` ours, without QEMU's own."""
    drive = ["-drive", f"if=none,id=d0,file={image},format=raw"]
    if options is None:
        return drive + HBAS[hba].stock
    return drive + [argument.format(options=options) for argument in HBAS[hba].ours]
