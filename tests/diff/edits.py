# SPDX-License-Identifier: GPL-2.0-or-later
"""A made-up job, edits of it, and what tracedisk diff has to say of each.

A job is a list of epochs, with a flush behind each; an epoch is a list of
commands. The commands have blocks of their own, but for some that write
again what an earlier epoch wrote, and reads of what was written. An edit
changes the copy of a job and notes, in a Counter, the differences that diff
must find: no more and no less. Edits keep away from each other's epochs.
"""

import copy
import json
import random
from collections import Counter

BLOCK = 512
EPOCHS, PER_EPOCH = 12, 8
DEPTH = 3


class Command:
    def __init__(self, op, lba, blocks, payload=None):
        self.op, self.lba, self.blocks = op, lba, blocks
        self.payload = payload
        self.sizes = [4096] * (blocks // 8) or [blocks * BLOCK]
        self.offset = 0
        self.error = False
        self.alone = True  # nobody else touches these blocks

    def parts(self, count):
        """The same in requests of equal size; their payloads' digests are other ones."""
        n = self.blocks // count
        parts = [Command(self.op, self.lba + i * n, n, f"{self.payload}/{count}.{i}")
                 for i in range(count)]
        return parts


def job(seed, length=EPOCHS):
    rng = random.Random(seed)
    epochs, written, next_lba = [], [], 2048
    for _ in range(length):
        epoch = []
        for _ in range(PER_EPOCH):
            again = written and rng.random() < 0.25
            if again and rng.random() < 0.5:
                old = rng.choice(written)
                old.alone = False
                new = Command("read", old.lba, old.blocks, old.payload)
            elif again:
                old = rng.choice(written)
                old.alone = False
                new = Command("write", old.lba, old.blocks, f"payload {rng.random()}")
                written[written.index(old)] = new
                new.alone = False
            else:
                blocks = rng.choice([16, 32, 64])
                new = Command("write", next_lba, blocks, f"payload {rng.random()}")
                next_lba += blocks + rng.choice([8, 64])
            epoch.append(new)
        # What is read or written again comes from an earlier epoch: never in flight with it.
        written = [w for w in written if w.op == "write"]
        written += [c for c in epoch if c.op == "write" and c not in written]
        if len({c.lba for c in epoch}) < len(epoch):
            kept = {}
            for c in epoch:
                kept.setdefault(c.lba, c)
            dropped = [c for c in epoch if c not in kept.values()]
            epoch = [c for c in epoch if c not in dropped]
            for c in dropped:
                if c in written:
                    first = kept[c.lba]
                    written[written.index(c)] = first if first.op == "write" else c
        epochs.append(epoch)
    return settle(epochs)


def settle(epochs):
    """Let reads return what their blocks hold, and note which commands have theirs alone."""
    held, touched = {}, Counter(c.lba for e in epochs for c in e)
    for epoch in epochs:
        for c in epoch:
            c.alone = touched[c.lba] == 1
            if c.op == "write":
                held[c.lba] = c.payload
            else:
                c.payload = held[c.lba]
    return epochs


# ---- Edits: (job, rng, epoch index) -> differences, or None when there is no place for it ----

def lonely_write(rng, epoch, divisible=1):
    return rng.choice([c for c in epoch if c.op == "write" and c.alone and
                       c.blocks % divisible == 0] or [None])


def split(epochs, rng, i):
    count = rng.choice([2, 4])
    victim = lonely_write(rng, epochs[i], 8 * count)
    if not victim:
        return None
    at = epochs[i].index(victim)
    epochs[i][at:at + 1] = victim.parts(count)
    return {"shape": {"split": 1}, "cut": victim.blocks}


def reorder(epochs, rng, i):
    """The first one goes last, behind some that were never in flight with it."""
    if len(epochs[i]) < 2 * DEPTH:
        return None
    epochs[i].append(epochs[i].pop(0))
    return {"shape": {"reordered": 1}}


def move_over_flush(epochs, rng, i):
    victim = lonely_write(rng, epochs[i])
    if not victim:
        return None
    epochs[i].remove(victim)
    epochs[i + 1].insert(0, victim)
    return {"order": {"write-moved": 1}}


def add_flush(epochs, rng, i):
    at = rng.randrange(3, len(epochs[i]) - 2)
    epochs[i:i + 1] = [epochs[i][:at], epochs[i][at:]]
    return {"order": {"flush-added": 1}}


def drop_flush(epochs, rng, i):
    epochs[i:i + 2] = [epochs[i] + epochs[i + 1]]
    return {"order": {"flush-lost": 1}}


def change_payload(epochs, rng, i):
    victim = lonely_write(rng, epochs[i])
    if not victim:
        return None
    victim.payload += " with another byte"
    return {"data": {"write-payload": 1, "final-content": 1}}


def change_read(epochs, rng, i):
    reads = [c for c in epochs[i] if c.op == "read"]
    if not reads:
        return None
    rng.choice(reads).payload += " as a broken disk gives it"
    return {"data": {"read-payload": 1}, "outcome": {"lint-new": 1}}


def change_count(epochs, rng, i):
    victim = rng.choice(epochs[i])
    victim.sizes = [BLOCK, sum(victim.sizes) - BLOCK]
    if len(victim.sizes) == victim.blocks // 8:
        victim.sizes = [BLOCK, BLOCK, sum(victim.sizes) - 2 * BLOCK]
    return {"geometry": {"element-count": 1}}


def change_sizes(epochs, rng, i):
    victim = rng.choice(epochs[i])
    victim.sizes[0] -= 2
    victim.sizes[-1] += 2
    return {"geometry": {"element-sizes": 1}}


def change_offset(epochs, rng, i):
    rng.choice(epochs[i]).offset = 512
    return {"geometry": {"element-offsets": 1}}


def add_error(epochs, rng, i):
    reads = [c for c in epochs[i] if c.op == "read"]
    victim = rng.choice(reads) if reads else lonely_write(rng, epochs[i])
    if not victim:
        return None
    victim.error = True
    return {"outcome": {"status": 1}, "failed": victim.blocks if victim.op == "write" else 0}


def retry(epochs, rng, i):
    victim = lonely_write(rng, epochs[i])
    if not victim:
        return None
    failed = copy.deepcopy(victim)
    failed.error = True
    epochs[i].insert(epochs[i].index(victim), failed)
    return {"shape": {"retried-in-b": 1}, "outcome": {"status": 1}}


def lose_write(epochs, rng, i):
    victim = lonely_write(rng, epochs[i])
    if not victim:
        return None
    epochs[i].remove(victim)
    return {"data": {"written-only-in-a": 1}, "shape": {"command-lost": 1}}


EDITS = [split, reorder, move_over_flush, add_flush, drop_flush, change_payload, change_read,
         change_count, change_sizes, change_offset, add_error, retry, lose_write]

# ---- What is another thing in each run: (job, rng, epoch index, run) ----

def time_stamp(epochs, rng, i, run):
    victim = lonely_write(rng, epochs[i])
    if victim:
        victim.payload += f" of run {run}"


def buffer_anywhere(epochs, rng, i, run):
    rng.choice(epochs[i]).offset = 512 * (run % 8)


RESTLESS = [time_stamp, buffer_anywhere]

# What an edit is called when A and B change places.
MIRROR = {"split": "merged", "flush-added": "flush-lost", "flush-lost": "flush-added",
          "retried-in-b": "retried-in-a", "written-only-in-a": "written-only-in-b",
          "command-lost": "command-added", "lint-new": "lint-gone"}


def mirrored(expected):
    return {level: {MIRROR.get(kind, kind): n for kind, n in kinds.items()}
            if isinstance(kinds, dict) else kinds for level, kinds in expected.items()}


def add_up(total, more):
    for level, kinds in more.items():
        if isinstance(kinds, dict):
            total[level] = dict(Counter(total.get(level, {})) + Counter(kinds))
        else:
            total[level] = total.get(level, 0) + kinds


def places(epochs):
    """Far enough apart. From the end, as edits may change how many epochs there are."""
    return list(range(len(epochs) - 3, 0, -3))


def edited(epochs, rng, wanted):
    """A copy with up to `wanted` edits; the differences; the edits' names."""
    copies, expected, names = copy.deepcopy(epochs), {}, []
    chosen = rng.sample(places(epochs), min(wanted, len(places(epochs))))
    for place in sorted(chosen, reverse=True):
        edit = rng.choice(EDITS)
        found = edit(copies, rng, place)
        if found:
            add_up(expected, found)
            names.append(edit.__name__)
    if "lint-new" in expected.get("outcome", {}):
        expected["outcome"]["lint-new"] = 1  # a rule, however often
    return copies, expected, names


def some(rng, sides):
    """Runs that have an edit, so that it varies within a side: some of one, any of the other."""
    varying = rng.choice([s for s in sides if len(s) > 1])
    other = [run for side in sides for run in side if side is not varying]
    return (rng.sample(varying, rng.randrange(1, len(varying))) +
            rng.sample(other, rng.randrange(len(other) + 1)))


def several_runs(epochs, rng, n_a, n_b):
    """Copies for the runs of two sides, what differs between these, and the edits' names.

    At each place all runs of B have an edit; or only some runs of a side do, or each run is
    different there: noise. Not told is what lint has to say."""
    copies = [copy.deepcopy(epochs) for _ in range(n_a + n_b)]
    side_a, side_b = list(range(n_a)), list(range(n_a, n_a + n_b))
    expected, names, read = {}, [], set()
    for place in places(epochs):
        edit, seed, noise = rng.choice(EDITS), rng.random(), rng.random() < 0.5
        found = None
        # Of two reads of the same blocks, which one an edit was of cannot be told.
        reads = {c.lba for c in epochs[place] if c.op == "read"}
        if reads & read:
            continue
        read |= reads
        if rng.random() < 0.2:
            edit = rng.choice(RESTLESS)
            for run in side_a + side_b:
                edit(copies[run], random.Random(seed), place, run)
            names.append(edit.__name__)
            continue
        for run in some(rng, [side_a, side_b]) if noise else side_b:
            found = edit(copies[run], random.Random(seed), place)
        if found and not noise:
            add_up(expected, {level: kinds for level, kinds in found.items()
                              if kinds != {"lint-new": 1}})
        if found:
            names.append(f"{edit.__name__}{' in some' if noise else ''}")
    return copies[:n_a], copies[n_a:], expected, names


# ---- A run of a job: addresses, tags and times are its own ----

def fis(command, lba=0, count=0):
    return (bytes([0x27, 0x80, command, 0]) + (lba & 0xffffff).to_bytes(3, "little") +
            bytes([0x40]) + (lba >> 24).to_bytes(3, "little") + bytes(1) +
            count.to_bytes(2, "little") + bytes(6)).hex()


def digest(payload):
    return "%032x" % random.Random(payload).getrandbits(128)


class Recording:
    """The lines for make-trace."""

    def __init__(self, seed, slow=1.0):
        self.rng = random.Random(seed)
        self.slow = slow
        self.clock = self.rng.randrange(1, 10**10)
        self.lines = []
        self.tags = list(range(32))  # not in flight
        self.place = self.rng.randrange(1 << 20)  # of the buffer handed out last
        self.put(put="header")
        self.put(put="device", id=0, name="d0", frontend="ahci", protocol=0, hash=2,
                 logical_block_size=BLOCK, physical_block_size=BLOCK, blocks=1 << 24)

    def put(self, **line):
        self.clock += int(self.slow * self.rng.randrange(1000, 9000))
        self.lines.append({**line, "time_ns": self.clock})
        return len(self.lines) - 1

    def elements(self, command):
        """Each in pages of its own, never adjoining, nor of another command in flight."""
        found = []
        for size in command.sizes:
            self.place = (self.place + self.rng.randrange(1, 1000)) % (1 << 20)
            page = self.place * 0x100000
            found.append([hex(page + command.offset), size, 0])
        return found

    def submit(self, command):
        code = 0x25 if command.op == "read" else 0x35
        return self.put(put="submit", raw=fis(code, command.lba, command.blocks),
                        tag=self.take_tag(), elements=self.elements(command))

    def take_tag(self):
        return self.tags.pop(self.rng.randrange(len(self.tags)))

    def complete(self, at, command):
        self.tags.append(self.lines[at]["tag"])
        if command.error:
            self.put(put="complete", submit=at, status=1, bytes=0,
                     residual=command.blocks * BLOCK, ata_status=0x51, ata_error=0x40)
        else:
            self.put(put="complete", submit=at, status=0, bytes=command.blocks * BLOCK,
                     digest=digest(command.payload))

    def flush(self):
        at = self.put(put="submit", raw=fis(0xea), tag=self.take_tag())
        self.put(put="complete", submit=at, status=0)
        self.tags.append(self.lines[at]["tag"])

    def epoch(self, commands):
        """Submitted in order; up to DEPTH in flight, which complete in any order.

        Of these, none is passed by more than DEPTH: no command is in flight for a whole epoch.
        """
        waiting = []
        for number, command in enumerate(commands):
            # A command that another one in flight has the blocks of waits for it, as drivers do.
            while len(waiting) == DEPTH or any(c.lba == command.lba for _, c, _ in waiting):
                late = waiting[0][2] + DEPTH <= number
                at, done, _ = waiting.pop(0 if late else self.rng.randrange(len(waiting)))
                self.complete(at, done)
            waiting.append((self.submit(command), command, number))
        self.rng.shuffle(waiting)
        for at, done, _ in waiting:
            self.complete(at, done)
        self.flush()

    def text(self):
        return "".join(json.dumps(line) + "\n" for line in self.lines)


def run(epochs, seed, slow=1.0):
    recording = Recording(seed, slow)
    for epoch in epochs:
        recording.epoch(epoch)
    return recording.text()
