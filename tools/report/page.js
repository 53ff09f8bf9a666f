// SPDX-License-Identifier: GPL-2.0-or-later
// The page: a column of cards for each trace, and what they share.

const tip = document.getElementById("tip");
let sides = [], zoom = null;  // zoom: ns after each trace's first command, or null

function showTip(event, text) {
  tip.textContent = text;
  tip.hidden = false;
  const x = event.clientX + 14, y = event.clientY + 14;
  tip.style.left = Math.min(x, window.innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(y, window.innerHeight - tip.offsetHeight - 8) + "px";
}

function hideTip() {
  tip.hidden = true;
}

function zoomTo(range) {
  zoom = range;
  document.getElementById("zoom-out").disabled = !range;
  drawAll();
}

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function legendOf(side) {
  const legend = element("div", undefined, "legend");
  for (const op of Object.keys(side.info.stat.operations)) {
    const item = element("span", op), box = element("i");
    box.dataset.op = report.ops.indexOf(op);
    item.prepend(box);
    legend.append(item);
  }
  const bad = element("span", "error, aborted or pending"), box = element("i");
  box.dataset.op = "bad";
  bad.prepend(box);
  legend.append(bad);
  if (report.diff) {
    const ring = element("i", undefined, "ring"), differs = element("span", "differs");
    differs.prepend(ring);
    legend.append(differs);
  }
  return legend;
}

function paintLegends() {
  for (const box of document.querySelectorAll(".legend i:not(.ring)"))
    box.style.background = box.dataset.op === "bad" ? css("--bad") : opColour(Number(box.dataset.op));
}

function table(titles, rows, numbers) {
  const scroll = element("div", undefined, "scroll"), t = element("table"), head = element("tr");
  titles.forEach((title, i) => head.append(element("th", title, numbers.includes(i) ? "number" : "")));
  t.append(element("thead"), element("tbody"));
  t.tHead.append(head);
  for (const row of rows) {
    const line = element("tr");
    row.forEach((cell, i) => line.append(element("td", cell, numbers.includes(i) ? "number" : "")));
    t.tBodies[0].append(line);
  }
  scroll.append(t);
  return scroll;
}

class Side {
  constructor(info, commands, pages) {
    Object.assign(this, {info, commands, pages});
    const n = commands.rows;
    this.start = n ? commands.time[0] : 0;
    this.end = n ? commands.time[n - 1] : 1;
    for (let i = Math.max(0, n - 4096); i < n; i++)
      this.end = Math.max(this.end, commands.time[i] + Math.max(commands.latency[i], 0));
    if (this.end <= this.start) this.end = this.start + 1;
    this.charts = [];
    this.differing = new Set();  // indices of commands that a comparison tells of
  }

  // The index of a command; null when it is not drawn. Sequence numbers rise with the time.
  find(seq) {
    const i = lowerBound(this.commands.seq, seq);
    return this.commands.seq[i] === seq ? i : null;
  }

  range() {
    const whole = sides.reduce((most, side) => Math.max(most, side.end - side.start), 1);
    return zoom ? {from: this.start + zoom.from, to: this.start + zoom.to}
                : {from: this.start, to: this.start + whole};
  }

  // What the y axes must reach; the same for all sides.
  extent() {
    const c = this.commands, extent = {lba: 1, depth: 1, least: Infinity, most: 0};
    for (let i = 0; i < c.rows; i++) {
      extent.lba = Math.max(extent.lba, c.lba[i] + c.blocks[i]);
      extent.depth = Math.max(extent.depth, c.depth[i]);
      if (c.latency[i] > 0) {
        extent.least = Math.min(extent.least, c.latency[i]);
        extent.most = Math.max(extent.most, c.latency[i]);
      }
    }
    return extent;
  }

  tellCommand(i) {
    const c = this.commands, op = report.ops[c.kind[i] & 15], latency = c.latency[i];
    const blocks = c.blocks[i] ? `\nblocks ${count(c.lba[i])}+${count(c.blocks[i])}` : "";
    return `#${c.seq[i]} ${op}: ${STATUSES[c.kind[i] >> 4]}${blocks}\nat ${moment(c.time[i])}, ` +
           (latency < 0 ? "never completed" : `took ${humanTime(latency)}`) + `, depth ${c.depth[i]}`;
  }

  card(parent, title) {
    const card = element("section", undefined, "card");
    if (title) card.append(element("h3", title));
    parent.append(card);
    return card;
  }

  facts(card) {
    const stat = this.info.stat, facts = element("div", undefined, "facts");
    const bad = stat.statuses.error + stat.statuses.aborted + stat.statuses.pending;
    const fact = (value, what, className) => {
      const div = element("div");
      div.append(element("b", value, className), element("span", what));
      facts.append(div);
    };
    fact(count(stat.commands), "commands");
    for (const [op, o] of Object.entries(stat.operations))
      if (o.bytes) fact(humanBytes(o.bytes), op === "read" ? "read" : op === "write" ? "written" : op);
    if (stat.last_ns) fact(humanTime(stat.last_ns - stat.first_ns), "of the guest's clock");
    fact(count(bad), "failed, aborted or pending", bad ? "bad" : "");
    fact(count(stat.elements.count), "elements");
    fact(count(this.info.pages), "guest pages");
    const missing = stat.lost_records + stat.damaged_places;
    if (missing) fact(count(missing), "losses or damaged places", "bad");
    card.append(facts);
    if (this.info.stride > 1)
      card.append(element("p", `Of this trace every ${this.info.stride}th command is drawn; ` +
                               "the numbers and tables are of all.", "dim"));
    if (this.info.pages_left_out)
      card.append(element("p", "There are more guest pages than are shown.", "dim"));
  }

  percentiles(card) {
    const rows = Object.entries(this.info.stat.operations).filter(([, o]) => o.latency_ns.count)
      .map(([op, o]) => [op, count(o.commands), ...["p50", "p90", "p99", "p99.9", "max"]
        .map((p) => humanTime(o.latency_ns[p]))]);
    card.append(table(["operation", "commands", "p50", "p90", "p99", "p99.9", "max"], rows, [1, 2, 3, 4, 5, 6]));
  }

  tables(parent) {
    const {slowest, errors, events, n_errors, n_events, lint} = this.info;
    const findings = this.card(parent, lint.length ? "What lint found" : "Lint found nothing");
    if (lint.length) {
      findings.append(table(["severity", "findings", "rule", "what", "the first"],
                            lint.map((r) => [r.severity, count(r.count), r.rule, r.title, r.first]), [1]));
    }
    if (n_errors) {
      const card = this.card(parent, `Failed, aborted, pending: ${count(n_errors)}`);
      card.append(table(["time", "#", "command"],
                        errors.map((r) => [moment(r.ns), r.seq, r.text]), [0, 1]));
    }
    this.card(parent, "The slowest commands").append(
      table(["latency", "submitted", "#", "command"],
            slowest.map((r) => [humanTime(r.value), moment(r.ns), r.seq, r.text]), [0, 1, 2]));
    if (n_events) {
      const card = this.card(parent, `Events and marks: ${count(n_events)}`);
      card.append(table(["time", "#", "event"], events.map((r) => [moment(r.ns), r.seq, r.text]), [0, 1]));
    }
  }

  build(parent) {
    const column = element("div", undefined, "side");
    parent.append(column);
    const head = this.card(column);
    head.append(element("h2", this.info.name), element("p", this.info.title, "dim"));
    this.facts(head);
    this.charts.push(new LbaChart(this.card(column), this));
    this.charts.push(new DepthChart(this.card(column), this));
    const latency = this.card(column);
    this.charts.push(new LatencyChart(latency, this));
    const pair = element("div", undefined, "pair");
    column.append(pair);
    const c = this.commands, size = this.info.block_size;
    this.charts.push(new Histogram(this.card(pair), "Latency: how many commands took so long", this,
                                   (i) => c.latency[i], 2, humanTime));
    this.charts.push(new Histogram(this.card(pair), "Request sizes", this,
                                   (i) => c.blocks[i] * size, 1, humanBytes));
    this.percentiles(this.card(column, "Latency percentiles of the whole trace"));
    this.charts.push(new ThroughputChart(this.card(column), this));
    this.charts.push(new PageMap(this.card(column), this));
    this.tables(column);
  }
}

// ---- What tracedisk diff tells

// The sentences of a level, with its name and whether it differs.
function level(diff, name) {
  const row = element("div", undefined, "level"), differs = Object.keys(diff.levels[name]).length > 0;
  row.append(element("span", name, differs ? "badge differs" : "badge"));
  row.append(element("p", diff.summary[name].trimEnd()));
  return row;
}

function commandText(c) {
  if (!c) return "";
  return `#${c.seq} ${c.name}` + (c.blocks ? ` ${c.lba}+${c.blocks}` : "");
}

function details(card, diff) {
  const total = Object.values(diff.levels).flatMap(Object.values).reduce((a, b) => a + b, 0);
  if (!total) return;
  const shown = diff.details.length < total ? `${count(diff.details.length)} of ` : "";
  const list = table(["level", "difference", "A", "B", ""],
                     diff.details.map((d) => [d.level, d.kind, commandText(d.a), commandText(d.b),
                                                (d.text || "").replace("->", "→")]), []);
  const rows = list.querySelectorAll("tbody tr");
  diff.details.forEach((d, i) => {
    if (!d.a && !d.b) return;
    rows[i].classList.add("go");
    rows[i].addEventListener("click", () => showCommands(d));
  });
  card.append(element("h3", `${shown}${count(total)} ${total === 1 ? "difference" : "differences"}: click on one to see when it was`), list);
}

function tellDiff(parent, diff) {
  const card = element("section", undefined, "card wide");
  parent.append(card);
  card.append(element("h2", report.diff.length > 1 ? `What differs: ${diff.device}` : "What differs"));
  if (diff.head) card.append(element("p", diff.head.trimEnd(), "dim"));
  for (const name of Object.keys(diff.summary)) card.append(level(diff, name));
  details(card, diff);
}

// Zoom to what is around a difference, on the side that has it.
function showCommands(d) {
  const side = sides[d.a ? 0 : 1], i = side.find((d.a || d.b).seq);
  if (i === null) return;
  const at = side.commands.time[i] - side.start, about = Math.max((side.end - side.start) / 40, 1000);
  zoomTo({from: at - about, to: at + about});
  document.querySelector("canvas.time").scrollIntoView({behavior: "smooth", block: "center"});
}

function markDifferences() {
  for (const diff of report.diff || [])
    for (const d of diff.details)
      [d.a, d.b].forEach((c, n) => {
        const i = c ? sides[n].find(c.seq) : null;
        if (i !== null) sides[n].differing.add(i);
      });
}

function drawAll() {
  paintLegends();
  for (const side of sides) for (const chart of side.charts) chart.draw();
}

function shareScales() {
  const extents = sides.map((side) => side.extent());
  const most = (key) => Math.max(...extents.map((e) => e[key]));
  const least = Math.min(...extents.map((e) => e.least));
  const scale = {lba: most("lba"), depth: most("depth"), least: 1000, most: 10000};
  if (Number.isFinite(least)) {
    scale.least = 10 ** Math.floor(Math.log10(least));
    scale.most = Math.max(10 * scale.least, 10 ** Math.ceil(Math.log10(most("most"))));
  }
  for (const side of sides) side.scale = scale;
}

async function main() {
  const parent = document.getElementById("sides");
  for (const [i, info] of report.sides.entries())
    sides.push(new Side(info, await readCommands(i, info.drawn), await readPages(i, info.pages)));
  shareScales();
  const what = report.diff ? "tracedisk diff" : "tracedisk report";
  document.querySelector("h1").textContent = what;
  document.title = what + ": " + report.sides.map((s) => s.name).join(", ");
  parent.style.setProperty("--columns", sides.length);
  for (const diff of report.diff || []) tellDiff(parent, diff);
  markDifferences();
  for (const side of sides) side.build(parent);
  drawAll();
  window.addEventListener("resize", drawAll);
  document.getElementById("zoom-out").addEventListener("click", () => zoomTo(null));
  document.getElementById("theme").addEventListener("click", () => {
    document.documentElement.classList.toggle("dark");
    drawAll();
  });
  document.documentElement.dataset.ready = "yes";
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
document.documentElement.classList.toggle("dark", dark.matches || location.hash === "#dark");
main().catch((error) => {
  document.getElementById("sides").append(element("pre", "This page cannot be drawn: " + error));
  document.documentElement.dataset.ready = "failed";
});
