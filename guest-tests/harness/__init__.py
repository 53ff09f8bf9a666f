# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot guests on a disk of known content, and hold what they saw against the trace.

content   what is on the disk, and what requests make of it
view      a guest's own account of its requests
trace     the commands of a trace
compare   the one against the other
disks     the disk under test, ours or QEMU's own, on each HBA
qemu      starting QEMU and waiting for it
fetch     getting a guest's parts
guest     what all guests have in common
linux seabios grub    the kinds of guest: how they boot, what they show
tap       telling the results
"""
