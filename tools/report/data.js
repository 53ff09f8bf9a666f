// SPDX-License-Identifier: GPL-2.0-or-later
// What report-print.c wrote: the document, and tables in columns.
"use strict";

const report = JSON.parse(document.getElementById("data").textContent);

// The columns' bytes: base64 of zlib's deflate.
async function inflate(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// LEB128 varints, columns one after the other. Numbers over 2^53 are rounded.
class Columns {
  constructor(bytes, rows) {
    this.bytes = bytes;
    this.rows = rows;
    this.at = 0;
  }

  varint() {
    let value = 0, scale = 1, byte;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte & 0x80);
    return value;
  }

  numbers() {
    const column = new Float64Array(this.rows);
    for (let i = 0; i < this.rows; i++) column[i] = this.varint();
    return column;
  }

  // Each the difference from the one before, zigzag coded.
  steps() {
    const column = new Float64Array(this.rows);
    let last = 0;
    for (let i = 0; i < this.rows; i++) {
      const v = this.varint();
      last += v % 2 ? -(v + 1) / 2 : v / 2;
      column[i] = last;
    }
    return column;
  }
}

// Statuses as report-print.c has them: 2 bits of enum td_status.
const STATUSES = ["good", "error", "aborted", "pending"];

async function readCommands(i, rows) {
  const c = new Columns(await inflate("commands-" + i), rows);
  const time = c.steps(), lba = c.steps(), blocks = c.numbers(), latency = c.numbers();
  const depth = c.numbers(), kind = c.numbers(), seq = c.steps();
  for (let k = 0; k < rows; k++) latency[k] -= 1;  // -1: pending
  return {rows, time, lba, blocks, latency, depth, kind, seq};
}

async function readPages(i, rows) {
  const c = new Columns(await inflate("pages-" + i), rows);
  return {rows, page: c.steps(), writes: c.numbers(), reads: c.numbers(), seq: c.steps(),
          ns: c.steps(), lba: c.steps()};
}

// The first index whose time is not before t.
function lowerBound(times, t) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

// ---- Numbers as people read them

function humanBytes(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit + 1 < units.length) {
    bytes /= 1024;
    unit++;
  }
  return (Number.isInteger(bytes) || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)) + " " + units[unit];
}

function humanTime(ns) {
  for (const [unit, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (ns >= unit) return (ns / unit >= 100 ? Math.round(ns / unit) : +(ns / unit).toPrecision(3)) + " " + name;
  }
  return Math.round(ns) + " ns";
}

function moment(ns) {
  return (ns / 1e9).toFixed(6) + " s";
}

function count(n) {
  return n.toLocaleString("en");
}

function hex(n) {
  return "0x" + n.toString(16);
}
