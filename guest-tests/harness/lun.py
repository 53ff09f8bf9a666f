# SPDX-License-Identifier: GPL-2.0-or-later
"""An iSCSI target on loopback: tgt, with one LUN."""
import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from .fetch import Unavailable

PATIENCE = 20  # seconds until tgtd answers
IQN = "iqn.2026-01.invalid.tracedisk:d0"
SOCKETS = Path("/var/run/tgtd")


@contextlib.contextmanager
def serve(image, directory):
    """Serve a file; gives the URL of the LUN. What tgtd says is in `tgtd.log`."""
    if not shutil.which("tgtd") or not shutil.which("tgtadm"):
        raise Unavailable("tgt is not installed: run script/bootstrap")
    if os.geteuid():
        raise Unavailable("tgtd runs as root only")
    control, port = str(os.getpid()), free_port()
    with open(directory / "tgtd.log", "wb") as log:
        daemon = subprocess.Popen(
            ["tgtd", "-f", "--iscsi", f"portal=127.0.0.1:{port}", "-C", control],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            create(control, Path(image).resolve(), daemon)
            yield f"iscsi://127.0.0.1:{port}/{IQN}/1"
        finally:
            daemon.kill()  # it takes no other signal
            daemon.wait()
            for left in (f"socket.{control}", f"socket.{control}.lock"):
                (SOCKETS / left).unlink(missing_ok=True)


def create(control, image, daemon):
    """The target, its LUN, and that everyone may log in."""
    end = time.monotonic() + PATIENCE
    while not tgtadm(control, "--op", "new", "--mode", "target", "-T", IQN):
        if daemon.poll() is not None or time.monotonic() > end:
            raise Unavailable("tgtd does not start: see tgtd.log")
        time.sleep(0.05)
    if not (tgtadm(control, "--op", "new", "--mode", "logicalunit", "--lun", "1", "-b", image) and
            tgtadm(control, "--op", "bind", "--mode", "target", "-I", "127.0.0.1")):
        raise Unavailable("tgtadm cannot make the LUN: see tgtd.log")


def tgtadm(control, *words):
    done = subprocess.run(["tgtadm", "-C", control, "--lld", "iscsi", "--tid", "1", *words],
                          capture_output=True, check=False)
    return done.returncode == 0


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
