# SPDX-License-Identifier: GPL-2.0-or-later
"""GRUB, on the disk that a firmware shows it, or with a driver of its own.

The disk has a FAT of FAT_SIZE bytes with two files on it: one to read, and
GRUB's environment block, which `save_env` writes in place. The rest holds the
known content, of which GRUB reads a stretch as plain blocks.
"""
import hashlib
import re

from . import content, fetch
from .guest import Guest as AnyGuest
from .guest import image, text, version_of, wanted

LOADER_SUITE = "bookworm"
FAT_SIZE = 16 << 20
FILE = content.words(content.FILE_TAG, 0, 1 << 20)
ENVIRONMENT_HEADER = b"# GRUB Environment Block\n"
ENVIRONMENT_SIZE = 1024
BLOCKS = slice(FAT_SIZE, FAT_SIZE + (1 << 20))  # read as plain blocks

MODULES = ["fat", "hashsum", "gcry_sha256", "loadenv", "serial", "terminal", "echo", "halt"]
JOB = f"""
serial --unit=1 --speed=115200
terminal_output serial
echo begin
hashsum --hash sha256 ($disk)/file
hashsum --hash sha256 ($disk){BLOCKS.start // 512}+{(BLOCKS.stop - BLOCKS.start) // 512}
set written_by=$grub_platform
save_env -f ($disk)/grubenv written_by
hashsum --hash sha256 ($disk)/grubenv
echo end
halt
"""


def environment(platform=None):
    """GRUB's environment block, empty or as this GRUB writes it."""
    line = f"written_by={platform}\n".encode() if platform else b""
    return (ENVIRONMENT_HEADER + line).ljust(ENVIRONMENT_SIZE, b"#")


class Guest(AnyGuest):
    """`firmware = efi`: GRUB-EFI started by OVMF; `none`: GRUB's own ahci driver.

    The suite is that of the driver: of OVMF, in `package`, or of GRUB. GRUB-EFI
    is always the one that belongs to the host's grub-mkimage.
    """

    reads = [BLOCKS]  # what must be in the trace

    def __init__(self, build, suite, firmware, version="", package=None):
        super().__init__(build)
        self.package = package or ("ovmf" if firmware == "efi" else "grub-pc-bin")
        self.suite, self.firmware, self.version = suite, firmware, version
        self.driver = "ovmf" if firmware == "efi" else "grub"
        self.platform = "efi" if firmware == "efi" else "pc"

    def found_version(self):
        return wanted(self.version, self.suite,
                      version_of(fetch.package(self.suite, self.package)))

    def prepare(self, directory, hba):
        self.found_version()
        files = {"file": FILE, "grubenv": environment()}
        if self.firmware == "efi":
            loader = self.core(directory, "grub-efi-amd64-bin", "x86_64-efi", "set disk=hd0", [])
            files["EFI/BOOT/BOOTX64.EFI"] = loader.read_bytes()
            boots = self.flash(directory)
        else:
            core = self.core(directory, "grub-pc-bin", "i386-pc",
                             "nativedisk\nset disk=ahci0", ["nativedisk", "ahci"])
            start = self.grub_folder("grub-pc-bin", "i386-pc") / "lnxboot.img"
            kernel = directory / "grub.kernel"
            kernel.write_bytes(start.read_bytes() + core.read_bytes())
            boots = ["-kernel", kernel]
        self.make_image(directory, make_disk(directory, files))
        return [*boots, "-serial", "file:console", "-serial", "file:job"]

    def flash(self, directory):
        """OVMF with flash for its variables: without, it keeps them in a file on the disk."""
        ovmf = fetch.package(self.suite, self.package) / "usr/share/OVMF"
        variables = directory / "variables"
        variables.write_bytes((ovmf / "OVMF_VARS_4M.fd").read_bytes())
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={ovmf}/OVMF_CODE_4M.fd",
                "-drive", f"if=pflash,format=raw,file={variables}"]

    def grub_folder(self, package, form):
        suite = self.suite if self.firmware == "none" else LOADER_SUITE
        return fetch.package(suite, package) / "usr/lib/grub" / form

    def core(self, directory, package, form, first, modules):
        """Make GRUB's image for a platform; it runs `first`, and then the job."""
        script, core = directory / "grub.cfg", directory / "grub.core"
        script.write_text(first + JOB)
        fetch.run("grub-mkimage", "-d", self.grub_folder(package, form), "-O", form, "-p", "/",
                  "-c", script, "-o", core, *MODULES, *modules)
        return core

    def data_checks(self, directory, view):
        said = text(directory / "job")
        # GRUB breaks lines at the width of its terminal.
        hashes = {name: value for value, name in re.findall(r"([0-9a-f]{64})\s+\((\S+)", said)}
        whole = "begin" in said and "end" in said
        yield ("the guest does its whole job",
               [] if whole else [f"it did not come to the end of its script; see {directory}"])
        yield "what it reads has the right hash", wrong_hashes(hashes, self.platform)
        held = fetch.run("mtype", "-i", image(directory), "::grubenv").encode()
        yield ("the image holds what it wrote",
               [] if held == environment(self.platform) else
               [f"its environment block is {held[:64]!r}..."])
        now = image(directory).read_bytes()
        yield ("the image is otherwise as it was",
               content.differences(self.disk[BLOCKS.start:], now[BLOCKS.start:], BLOCKS.start))


def mtool(*command):
    """Run one of mtools: the same input gives the same image, at any time."""
    return fetch.run(*command, SOURCE_DATE_EPOCH="1000000000", TZ="UTC")


def make_disk(directory, files):
    disk = content.fresh_disk()
    disk[:FAT_SIZE] = bytes(FAT_SIZE)
    path = image(directory)
    path.write_bytes(disk)
    mtool("mformat", "-i", path, "-N", "74640001", "-T", FAT_SIZE // 512, "-h", 16, "-s", 63, "::")
    folders = {parent for name in files for parent in folders_of(name)}
    for folder in sorted(folders):
        mtool("mmd", "-i", path, f"::{folder}")
    for name, data in files.items():
        source = directory / "file"
        source.write_bytes(data)
        mtool("mcopy", "-i", path, source, f"::{name}")
    source.unlink()
    return path.read_bytes()


def folders_of(name):
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth + 1]) for depth in range(len(parts))]


def wrong_hashes(hashes, platform):
    expected = {
        "/file": FILE,
        f"{BLOCKS.start // 512}+": content.fresh_disk()[BLOCKS],
        "/grubenv": environment(platform),
    }
    for name, data in expected.items():
        found = next((value for key, value in hashes.items() if f"){name}" in key), None)
        if found is None:
            yield f"it printed no hash of {name}"
        elif found != hashlib.sha256(data).hexdigest():
            yield f"{name} has sha256 {found}, expected {hashlib.sha256(data).hexdigest()}"
