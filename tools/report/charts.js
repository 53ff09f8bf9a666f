// SPDX-License-Identifier: GPL-2.0-or-later
// Charts on canvases. Each draws the part of its side's time that is zoomed to.

const MARGIN = {left: 64, right: 10, top: 6, bottom: 20};
const FEW = 4000;  // commands that are drawn as rectangles with their duration

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function opColour(op) {
  const names = {read: "--read", write: "--write", flush: "--flush", trim: "--trim", zero: "--trim"};
  return css(names[report.ops[op]] || "--other");
}

// "#2563c9" as the number that an ImageData's Uint32Array holds.
function pixel(colour) {
  const v = parseInt(colour.slice(1), 16);
  return (0xff000000 | (v & 0xff) << 16 | (v & 0xff00) | v >> 16) >>> 0;
}

function niceStep(span, steps) {
  const rough = span / steps, power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((m) => m * power >= rough);
}

class Chart {
  constructor(card, title, height, legend) {
    const heading = document.createElement("h3");
    heading.textContent = title;
    card.append(heading);
    if (legend) card.append(legend);
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", title);
    this.canvas.style.height = height + "px";
    this.canvas.dataset.chart = title;
    card.append(this.canvas);
    this.height = height;
    this.canvas.addEventListener("mousemove", (e) => this.point(e));
    this.canvas.addEventListener("mouseleave", hideTip);
  }

  // Where the data goes, in CSS pixels.
  begin() {
    const ratio = window.devicePixelRatio || 1, width = this.canvas.clientWidth;
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.round(this.height * ratio);
    this.x = MARGIN.left;
    this.y = MARGIN.top;
    this.w = Math.max(1, width - MARGIN.left - MARGIN.right);
    this.h = this.height - MARGIN.top - MARGIN.bottom;
    const g = this.canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    g.clearRect(0, 0, width, this.height);
    return g;
  }

  // A horizontal line and its label.
  yLabel(g, y, text) {
    g.strokeStyle = css("--line");
    g.fillStyle = css("--dim");
    g.beginPath();
    g.moveTo(this.x, Math.round(y) + 0.5);
    g.lineTo(this.x + this.w, Math.round(y) + 0.5);
    g.stroke();
    g.textAlign = "right";
    g.textBaseline = "middle";
    g.fillText(text, this.x - 6, Math.min(Math.max(y, this.y + 5), this.y + this.h - 4));
  }

  xLabel(g, x, text) {
    g.fillStyle = css("--dim");
    g.textAlign = "center";
    g.textBaseline = "top";
    g.fillText(text, x, this.y + this.h + 5);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const text = this.tell(event.clientX - box.left, event.clientY - box.top);
    if (text) showTip(event, text);
    else hideTip();
  }

  tell() { return null; }
}

// ---- Charts over time

class TimeChart extends Chart {
  constructor(card, title, height, side, legend) {
    super(card, title, height, legend);
    this.side = side;
    this.canvas.classList.add("time");
    this.canvas.addEventListener("mousedown", (e) => this.startDrag(e));
    this.canvas.addEventListener("dblclick", () => zoomTo(null));
  }

  timeAt(x) {
    const {from, to} = this.side.range();
    return from + Math.min(Math.max((x - this.x) / this.w, 0), 1) * (to - from);
  }

  xOf(ns) {
    const {from, to} = this.side.range();
    return this.x + (ns - from) / (to - from) * this.w;
  }

  // The commands that were submitted in the visible time: [low, high).
  visible() {
    const {from, to} = this.side.range(), times = this.side.commands.time;
    return [lowerBound(times, from), lowerBound(times, to + 1)];
  }

  draw() {
    const g = this.begin();
    this.drawTime(g);
    this.drawData(g);
    this.drawEvents(g);
  }

  drawTime(g) {
    const {from, to} = this.side.range(), zero = this.side.start;
    const step = niceStep((to - from) / 1e9, 6);
    for (let s = Math.ceil((from - zero) / 1e9 / step) * step; s * 1e9 + zero <= to; s += step) {
      const digits = Math.max(0, -Math.floor(Math.log10(step)));
      this.xLabel(g, this.xOf(zero + s * 1e9), s.toFixed(digits) + " s");
    }
  }

  // Resets, marks and the like: a thin line at their time.
  drawEvents(g) {
    g.strokeStyle = css("--bad");
    g.globalAlpha = 0.35;
    for (const event of this.side.info.events) {
      const x = this.xOf(event.ns);
      if (x < this.x || x > this.x + this.w) continue;
      g.beginPath();
      g.moveTo(x, this.y);
      g.lineTo(x, this.y + this.h);
      g.stroke();
    }
    g.globalAlpha = 1;
  }

  startDrag(down) {
    const box = this.canvas.getBoundingClientRect(), first = down.clientX - box.left;
    const move = (e) => {
      this.draw();
      const g = this.canvas.getContext("2d"), x = e.clientX - box.left;
      g.globalAlpha = 0.18;
      g.fillStyle = css("--accent");
      g.fillRect(Math.min(first, x), this.y, Math.abs(x - first), this.h);
      g.globalAlpha = 1;
    };
    const up = (e) => {
      window.removeEventListener("mousemove", move);
      window.removeEventListener("mouseup", up);
      const last = e.clientX - box.left;
      if (Math.abs(last - first) < 4) return;
      const a = this.timeAt(Math.min(first, last)), b = this.timeAt(Math.max(first, last));
      zoomTo({from: a - this.side.start, to: b - this.side.start});
    };
    window.addEventListener("mousemove", move);
    window.addEventListener("mouseup", up);
  }
}

// Dots of commands: few with their duration, many as single pixels.
class DotChart extends TimeChart {
  drawDots(g) {
    const [low, high] = this.visible();
    if (high - low <= FEW) this.drawRectangles(g, low, high);
    else this.drawPixels(g, low, high);
  }

  drawRectangles(g, low, high) {
    const c = this.side.commands;
    for (let i = low; i < high; i++) {
      g.fillStyle = this.colour(i);
      const x = this.xOf(c.time[i]), [y, height] = this.place(i);
      const w = this.hasDuration ? Math.max(2, c.latency[i] / this.nsPerPixel()) : 2.5;
      g.fillRect(x, y - height, Math.min(w, this.x + this.w - x), Math.max(2, height));
    }
  }

  drawPixels(g, low, high) {
    const c = this.side.commands, r = this.ratio;
    const width = Math.ceil(this.w * r), height = Math.ceil(this.h * r);
    const image = g.getImageData(Math.round(this.x * r), Math.round(this.y * r), width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = report.ops.map((_, op) => pixel(opColour(op))), bad = pixel(css("--bad"));
    const {from, to} = this.side.range(), scale = width / (to - from);
    for (let i = low; i < high; i++) {
      const x = Math.min(width - 1, (c.time[i] - from) * scale | 0);
      const y = Math.min(height - 1, Math.max(0, (this.place(i)[0] - this.y) * r | 0));
      const colour = c.kind[i] >> 4 ? bad : colours[c.kind[i] & 15];
      pixels[y * width + x] = colour;
      if (y + 1 < height) pixels[(y + 1) * width + x] = colour;
    }
    g.putImageData(image, Math.round(this.x * r), Math.round(this.y * r));
  }

  nsPerPixel() {
    const {from, to} = this.side.range();
    return (to - from) / this.w;
  }

  colour(i) {
    const kind = this.side.commands.kind[i];
    return kind >> 4 ? css("--bad") : opColour(kind & 15);
  }

  tell(mouseX, mouseY) {
    const c = this.side.commands, near = 8 * this.nsPerPixel(), t = this.timeAt(mouseX);
    let best = -1, distance = 144;
    for (let i = lowerBound(c.time, t - near), end = lowerBound(c.time, t + near); i < end; i++) {
      const dx = this.xOf(c.time[i]) - mouseX, dy = this.place(i)[0] - mouseY;
      if (dx * dx + dy * dy < distance) {
        distance = dx * dx + dy * dy;
        best = i;
      }
    }
    return best < 0 ? null : this.side.tellCommand(best);
  }
}

class LbaChart extends DotChart {
  constructor(card, side) {
    super(card, "Blocks over time", 260, side, legendOf(side));
    this.hasDuration = true;
  }

  // Bottom and height.
  place(i) {
    const c = this.side.commands, top = this.side.scale.lba;
    return [this.y + this.h - c.lba[i] / top * this.h, c.blocks[i] / top * this.h];
  }

  drawData(g) {
    const size = this.side.info.block_size, bytes = this.side.scale.lba * size;
    for (let i = 0; i <= 4; i++) this.yLabel(g, this.y + this.h * (1 - i / 4), humanBytes(bytes * i / 4));
    this.drawDots(g);
    this.drawDiffering(g);
  }

  // A ring around what a comparison tells of.
  drawDiffering(g) {
    const [low, high] = this.visible();
    g.strokeStyle = css("--ink");
    for (const i of this.side.differing) {
      if (i < low || i >= high) continue;
      const [y, height] = this.place(i);
      g.beginPath();
      g.arc(this.xOf(this.side.commands.time[i]), y - height / 2, 4.5, 0, 2 * Math.PI);
      g.stroke();
    }
  }
}

class LatencyChart extends DotChart {
  constructor(card, side) {
    super(card, "Latency over time", 180, side);
  }

  place(i) {
    const {least, most} = this.side.scale, latency = this.side.commands.latency[i];
    const share = Math.log(Math.max(latency, least) / least) / Math.log(most / least);
    return [this.y + this.h * (1 - Math.min(share, 1)), 2];
  }

  drawData(g) {
    const {least, most} = this.side.scale;
    for (let ns = least; ns <= most; ns *= 10)
      this.yLabel(g, this.y + this.h * (1 - Math.log(ns / least) / Math.log(most / least)), humanTime(ns));
    this.drawDots(g);
  }
}

// A bar for every two pixels, of what fell into its time.
class BarChart extends TimeChart {
  bars() {
    const n = Math.max(1, Math.floor(this.w / 2)), [low, high] = this.visible();
    const {from, to} = this.side.range(), c = this.side.commands;
    const bars = this.empty(n);
    for (let i = low; i < high; i++)
      this.add(bars, Math.min(n - 1, Math.floor((c.time[i] - from) / (to - from) * n)), i);
    return bars;
  }
}

class DepthChart extends BarChart {
  constructor(card, side) {
    super(card, "Queue depth: commands in flight, most and mean", 120, side);
  }

  empty(n) { return {most: new Float64Array(n), sum: new Float64Array(n), count: new Float64Array(n)}; }

  add(bars, at, i) {
    const depth = this.side.commands.depth[i];
    if (depth > bars.most[at]) bars.most[at] = depth;
    bars.sum[at] += depth;
    bars.count[at]++;
  }

  drawData(g) {
    const top = this.side.scale.depth, bars = this.bars();
    this.shown = bars;
    for (const depth of new Set([0, Math.round(top / 2), top]))
      this.yLabel(g, this.y + this.h * (1 - depth / top), depth);
    for (let i = 0; i < bars.most.length; i++) {
      if (!bars.count[i]) continue;
      const mean = bars.sum[i] / bars.count[i];
      g.fillStyle = css("--accent");
      g.globalAlpha = 0.3;
      g.fillRect(this.x + 2 * i, this.y + this.h * (1 - bars.most[i] / top), 2, this.h * bars.most[i] / top);
      g.globalAlpha = 1;
      g.fillRect(this.x + 2 * i, this.y + this.h * (1 - mean / top) - 1, 2, 2);
    }
  }

  tell(x) {
    const i = Math.floor((x - this.x) / 2), bars = this.shown;
    if (!bars || !(bars.count[i] > 0)) return null;
    return `${moment(this.timeAt(x) - this.side.start)} after the start\nmost ${bars.most[i]}, mean ` +
           (bars.sum[i] / bars.count[i]).toFixed(1);
  }
}

class ThroughputChart extends BarChart {
  constructor(card, side) {
    super(card, "Throughput, by submission", 120, side);
  }

  empty(n) { return {read: new Float64Array(n), write: new Float64Array(n)}; }

  add(bars, at, i) {
    const c = this.side.commands, op = report.ops[c.kind[i] & 15];
    if (op === "read" || op === "write") bars[op][at] += c.blocks[i];
  }

  drawData(g) {
    const bars = this.bars(), {from, to} = this.side.range(), n = bars.read.length;
    const rate = this.side.info.block_size * this.side.info.stride * 1e9 * n / (to - from);
    let top = 1;
    for (let i = 0; i < n; i++) top = Math.max(top, (bars.read[i] + bars.write[i]) * rate);
    this.shown = {bars, rate};
    for (const share of [0, 0.5, 1]) this.yLabel(g, this.y + this.h * (1 - share), humanBytes(top * share) + "/s");
    for (let i = 0; i < n; i++) {
      const read = bars.read[i] * rate / top * this.h, write = bars.write[i] * rate / top * this.h;
      g.fillStyle = css("--read");
      g.fillRect(this.x + 2 * i, this.y + this.h - read, 2, read);
      g.fillStyle = css("--write");
      g.fillRect(this.x + 2 * i, this.y + this.h - read - write, 2, write);
    }
  }

  tell(x) {
    const i = Math.floor((x - this.x) / 2);
    if (!this.shown || !(i >= 0 && i < this.shown.bars.read.length)) return null;
    const {bars, rate} = this.shown;
    return `${moment(this.timeAt(x) - this.side.start)} after the start\nread ` +
           `${humanBytes(bars.read[i] * rate)}/s, written ${humanBytes(bars.write[i] * rate)}/s`;
  }
}

// ---- Distributions of the commands in the visible time

class Histogram extends Chart {
  // value(i): of command i, or null; edge(bucket): its lower end; label: of one.
  constructor(card, title, side, value, perOctave, label) {
    super(card, title, 170);
    Object.assign(this, {side, value, perOctave, label});
  }

  buckets() {
    const c = this.side.commands, {from, to} = this.side.range(), found = new Map();
    for (let i = lowerBound(c.time, from), end = lowerBound(c.time, to + 1); i < end; i++) {
      const v = this.value(i);
      if (!(v > 0)) continue;
      const bucket = Math.floor(Math.log2(v) * this.perOctave + 1e-9);
      if (!found.has(bucket)) found.set(bucket, new Float64Array(report.ops.length));
      found.get(bucket)[c.kind[i] & 15]++;
    }
    return found;
  }

  draw() {
    const g = this.begin(), found = this.buckets(), keys = [...found.keys()];
    this.found = found;
    if (!keys.length) return;
    const first = Math.min(...keys), n = Math.max(...keys) - first + 1;
    const total = (counts) => counts.reduce((a, b) => a + b, 0);
    const top = Math.max(...[...found.values()].map(total));
    Object.assign(this, {first, n});
    for (const share of [0, 0.5, 1])
      this.yLabel(g, this.y + this.h * (1 - share), count(Math.round(top * share * this.side.info.stride)));
    const w = this.w / n;
    for (const [bucket, counts] of found) {
      let y = this.y + this.h;
      counts.forEach((many, op) => {
        if (!many) return;
        const height = Math.max(1, many / top * this.h);
        g.fillStyle = opColour(op);
        g.fillRect(this.x + (bucket - first) * w + 0.5, y - height, Math.max(1, Math.min(w - 1, 60)), height);
        y -= height;
      });
    }
    const every = Math.max(1, Math.ceil(n / (this.w / 62)));
    for (let i = 0; i < n; i += every)
      this.xLabel(g, this.x + i * w + Math.min(w, 60) / 2, this.label(2 ** ((first + i) / this.perOctave)));
  }

  tell(x) {
    if (!this.found) return null;
    const bucket = this.first + Math.floor((x - this.x) / (this.w / this.n)), counts = this.found.get(bucket);
    if (!counts) return null;
    const lines = [...counts].map((n, op) => n ? `\n${report.ops[op]}: ${count(n * this.side.info.stride)}` : "");
    return `${this.label(2 ** (bucket / this.perOctave))} and more${lines.join("")}`;
  }
}

// ---- Guest memory

const MOST_SQUARES = 100000;  // of more pages, several share one

class PageMap extends Chart {
  constructor(card, side) {
    const many = Math.ceil(side.pages.rows / MOST_SQUARES);
    const what = many > 1 ? `${many} pages that the disk read or wrote` : "each page that the disk read or wrote";
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    super(scroll, "Guest memory", 10);
    const legend = document.createElement("p");
    legend.className = "dim";
    legend.textContent = `A square for ${what}, by address. Blue: written by the disk, the stronger the ` +
                         "more often; orange: only read by it.";
    card.append(scroll.firstChild, legend, scroll);
    this.side = side;
    this.many = many;
  }

  // The pages of a square: [first, end).
  pagesOf(square) {
    return [square * this.many, Math.min((square + 1) * this.many, this.side.pages.rows)];
  }

  sums() {
    const pages = this.side.pages, squares = Math.ceil(pages.rows / this.many);
    const writes = new Float64Array(squares);
    for (let i = 0; i < pages.rows; i++) writes[Math.floor(i / this.many)] += pages.writes[i];
    return writes;
  }

  draw() {
    const writes = this.sums(), n = writes.length;
    this.cell = n > 40000 ? 4 : n > 3000 ? 6 : 9;
    this.columns = Math.max(1, Math.floor((this.canvas.clientWidth - 2) / this.cell));
    this.height = Math.max(1, Math.ceil(n / this.columns)) * this.cell + 2;
    this.canvas.style.height = this.height + "px";
    const g = this.begin(), most = writes.reduce((a, b) => Math.max(a, b), 1);
    const read = css("--write"), written = css("--read");
    for (let i = 0; i < n; i++) {
      g.fillStyle = writes[i] ? written : read;
      g.globalAlpha = writes[i] ? 0.35 + 0.65 * Math.log1p(writes[i]) / Math.log1p(most) : 0.75;
      g.fillRect(i % this.columns * this.cell, Math.floor(i / this.columns) * this.cell, this.cell - 1, this.cell - 1);
    }
    g.globalAlpha = 1;
  }

  tell(x, y) {
    const square = Math.floor(y / this.cell) * this.columns + Math.floor(x / this.cell);
    if (x >= this.columns * this.cell || !(square >= 0)) return null;
    const [first, end] = this.pagesOf(square), texts = [];
    for (let i = first; i < end; i++) texts.push(this.tellPage(i));
    return texts.join("\n") || null;
  }

  tellPage(i) {
    const pages = this.side.pages;
    let text = `page ${hex(pages.page[i] * 4096)}\nwritten by the disk ${count(pages.writes[i])} times, ` +
               `read ${count(pages.reads[i])} times`;
    if (pages.writes[i]) {
      text += `\nlast written by #${pages.seq[i]}` +
              (pages.lba[i] ? `, command of block ${count(pages.lba[i] - 1)}` : "") +
              ` at ${moment(pages.ns[i])}`;
    }
    return text;
  }
}
