#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Watch a page of a replayed run, and check that it stops at the first command
that wrote the page in the recorded one.

usage: watch-replay.py TRACEDISK TRACE QMP-SOCKET
"""
import json
import socket
import subprocess
import sys
import time

DEVICE = "/machine/peripheral/td"


class Qmp:
    def __init__(self, path):
        for attempt in range(100):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        self.stream = self.socket.makefile("rw")
        self.events = []
        self.stream.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "event" not in answer:
                return answer["return"]
            self.events.append(answer["event"])

    def wait_for(self, event):
        while event not in self.events:
            self.events.append(json.loads(self.stream.readline()).get("event"))
        self.events.clear()


def objects(*command):
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def main():
    tracedisk, trace, path = sys.argv[1:]
    reads = objects(tracedisk, "dump", "--json", "--op", "read", trace)
    reads = [c for c in reads if c["type"] == "command"]
    page = reads[len(reads) // 2]["elements"][0]["addr"] & ~4095
    touches = objects(tracedisk, "page", "--json", hex(page), trace)
    first = next(t for t in touches if t.get("direction") == "to-memory")

    qmp = Qmp(path)
    qmp.execute("qom-set", path=DEVICE, property="watch", value=f"{page}+4096,w")
    qmp.execute("cont")
    qmp.wait_for("STOP")
    state = qmp.execute("query-status")["status"]
    hit = qmp.execute("qom-get", path=DEVICE, property="last-watch-hit")
    qmp.execute("qom-set", path=DEVICE, property="unwatch", value="all")
    qmp.execute("cont")
    print(f"page {page:#x}, first written by #{first['seq']}; stopped ({state}) by {hit}")
    return 0 if state == "debug" and hit["seq"] == first["seq"] else 1


if __name__ == "__main__":
    sys.exit(main())
