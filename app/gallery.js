// Which of a million pictures are on screen? A grid that holds only those cells.
// Names from the data set reach textContent and attributes only, never markup.
const WINDOW = 128;
const MAX_HEIGHT = 8e6;      // browsers cap an element at 16 … 33 Mpx: beyond this, scrolling is scaled
const KEPT_AROUND = 6;       // windows kept on each side of the visible ones
const CAPTION = 40;
const HEADING = 34;
const CHIPS = 3;
const MEMORY = "recipe.gallery";
const REMEMBERED_VIEWS = 20;
const REMEMBERED_RANGES = 5000;
const RESEND_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";
const KEYS = [
  ["← → ↑ ↓", "move"], ["Page Up, Page Down, Home, End", "move far"], ["Enter", "open"],
  ["Space", "select"], ["Shift + ← → ↑ ↓", "select more"], ["Ctrl + A", "select all"],
  ["Esc", "select none"], ["Esc in the filters", "to the pictures"], ["X", "exclude"], ["1 … 9", "tag"], ["U", "undo"], ["Shift + U", "redo"],
];
const grids = new WeakMap();

// Data URIs of visible thumbnails paint about twice as fast as blob URLs.
function picture(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
  return "data:image/jpeg;base64," + btoa(text);
}

const address = path => new URL(path, document.baseURI).href;
const baseName = path => path.slice(path.lastIndexOf("/") + 1) || path;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const number = value => value.toLocaleString("en");

function remembered() {
  try { return JSON.parse(sessionStorage.getItem(MEMORY)) || []; } catch { return []; }
}

function element(tag, className, parent, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  parent?.append(made);
  return made;
}

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  return header.samples.map((sample, k) => {
    sample.bytes = new Uint8Array(buffer, at, header.lengths[k]);
    at += header.lengths[k];
    return sample;
  });
}

// -- what is selected: sorted half-open ranges of places, so that all of a million are one pair ----

const counted = ranges => ranges.reduce((sum, [a, b]) => sum + b - a, 0);

function holds(ranges, place) {
  let low = 0, high = ranges.length;
  while (low < high) { const mid = (low + high) >> 1; ranges[mid][1] <= place ? low = mid + 1 : high = mid; }
  return low < ranges.length && ranges[low][0] <= place;
}

function joined(ranges, a, b) {
  const touching = ranges.filter(([x, y]) => y >= a && x <= b);
  const from = Math.min(a, touching[0]?.[0] ?? a), to = Math.max(b, touching.at(-1)?.[1] ?? b);
  return [...ranges.filter(r => r[1] < a), [from, to], ...ranges.filter(r => r[0] > b)];
}

function without(ranges, a, b) {
  return ranges.flatMap(([x, y]) => y <= a || x >= b ? [[x, y]] : [[x, Math.min(y, a)], [Math.max(x, b), y]])
    .filter(([x, y]) => x < y);
}

// -- where everything lies: sections of lines, each line a row of cells ---------------------------

class Sections {
  constructor(groups, total, columns, lineHeight) {
    this.total = total; this.columns = columns; this.lineHeight = lineHeight;
    this.heading = groups.length ? HEADING : 0;
    this.groups = groups.length ? groups : [["", total]];
    const n = this.groups.length;
    this.starts = new Float64Array(n + 1); this.tops = new Float64Array(n + 1); this.lines = new Float64Array(n + 1);
    this.groups.forEach(([, count], g) => {
      const lines = Math.ceil(count / columns);
      this.starts[g + 1] = this.starts[g] + count;
      this.tops[g + 1] = this.tops[g] + this.heading + lines * lineHeight;
      this.lines[g + 1] = this.lines[g] + (this.heading ? 1 : 0) + lines;
    });
    this.height = this.tops[n]; this.nLines = this.lines[n];
  }

  // The last section that starts at or before the value.
  find(array, value) {
    let low = 0, high = this.groups.length - 1;
    while (low < high) { const mid = (low + high + 1) >> 1; array[mid] <= value ? low = mid : high = mid - 1; }
    return low;
  }

  topOf(place) {
    const g = this.find(this.starts, place);
    return this.tops[g] + this.heading + Math.floor((place - this.starts[g]) / this.columns) * this.lineHeight;
  }

  columnOf(place) { return (place - this.starts[this.find(this.starts, place)]) % this.columns; }

  placeAt(y, column) {
    const g = this.find(this.tops, clamp(y, 0, this.height - 1));
    const count = this.groups[g][1], most = Math.max(0, Math.ceil(count / this.columns) - 1);
    const line = clamp(Math.floor((y - this.tops[g] - this.heading) / this.lineHeight), 0, most);
    return this.starts[g] + Math.min(line * this.columns + column, count - 1);
  }

  // The place one line further in the same column, over a heading where one is in between.
  step(place, lines) {
    const y = this.topOf(place) + this.lineHeight / 2, column = this.columnOf(place);
    const to = this.placeAt(y + lines * this.lineHeight, column);
    return Math.abs(lines) === 1 && this.topOf(to) === this.topOf(place)
      ? this.placeAt(y + lines * (this.lineHeight + this.heading), column) : to;
  }

  // Lines between two heights: {index, y, title, count} for a heading, {index, y, from, to} for cells.
  *between(low, high) {
    for (let g = this.find(this.tops, low); g < this.groups.length && this.tops[g] < high; g++) {
      const [title, count] = this.groups[g], first = this.tops[g] + this.heading;
      if (this.heading && first > low) yield { index: this.lines[g], y: this.tops[g], title, count };
      const lines = Math.ceil(count / this.columns);
      const from = clamp(Math.floor((low - first) / this.lineHeight), 0, lines);
      const to = clamp(Math.ceil((high - first) / this.lineHeight), 0, lines);
      for (let i = from; i < to; i++) {
        const start = this.starts[g] + i * this.columns, end = Math.min(start + this.columns, this.starts[g + 1]);
        yield { index: this.lines[g] + (this.heading ? 1 : 0) + i, y: first + i * this.lineHeight, from: start, to: end };
      }
    }
  }
}

class Grid {
  constructor(root) {
    this.root = root;
    this.makeBar();
    this.el = element("div", "grid", root);
    this.el.tabIndex = 0;
    for (const [name, value] of [["role", "grid"], ["aria-label", "Samples"], ["aria-multiselectable", "true"],
                                 ["aria-keyshortcuts", "Space Enter X U Shift+U 1"]]) this.el.setAttribute(name, value);
    this.cells = element("div", "cells", this.el);
    this.cells.setAttribute("role", "presentation");
    this.stuck = element("div", "heading stuck", this.cells);
    this.stuck.setAttribute("aria-hidden", "true");
    this.tip = element("div", "tip", this.cells);
    this.tip.setAttribute("aria-hidden", "true");
    this.spacer = element("div", "spacer", this.el);
    this.lines = [];
    this.windows = new Map();
    this.queue = [];
    this.serial = Date.now() * 1000;
    this.place = 0; this.view = this.awaited = null; this.known = "";
    this.el.addEventListener("scroll", () => { this.hush(); this.drawSoon(); }, { passive: true });
    this.el.addEventListener("wheel", event => this.wheeled(event), { passive: false });
    this.el.addEventListener("mousedown", event => { if (event.shiftKey) event.preventDefault(); });
    this.el.addEventListener("click", event => this.clicked(event));
    this.el.addEventListener("keydown", event => this.pressed(event));
    this.el.addEventListener("pointerover", event => this.hovered(event));
    this.el.addEventListener("pointerleave", () => this.hush());
    this.asked = () => this.el.focus();
    document.addEventListener("recipe:pictures", this.asked);
    this.sizes = new ResizeObserver(() => this.layout());
    this.sizes.observe(this.el);
  }

  makeBar() {
    this.bar = element("div", "bar", this.root);
    this.says = element("span", "says", this.bar);
    this.says.setAttribute("role", "status");
    this.chosen = element("span", "chosen", this.bar);
    this.chosen.setAttribute("aria-live", "polite");
    this.none = element("button", "none", this.bar, "Clear selection");
    this.none.type = "button"; this.none.hidden = true;
    this.none.addEventListener("click", () => { this.choose([]); this.el.focus(); });
    this.trouble = element("span", "trouble", this.bar);
    const help = element("details", "keys", this.bar);
    element("summary", "", help, "Keys");
    const list = element("dl", "", help);
    for (const [keys, what] of KEYS) { element("dt", "", list, keys); element("dd", "", list, what); }
  }

  update({ data, setTriggerValue, setStateValue }) {
    this.trigger = setTriggerValue;
    this.setState = setStateValue;
    this.badges = data.badges;
    const facts = `&marks=${encodeURIComponent(data.marks)}` + (data.boxes ? "&boxes=1" : "");
    const moved = this.facts !== facts;
    this.facts = facts;
    if (this.view !== data.view) this.show(data);
    this.groups = data.groups;
    this.size = data.size;
    this.el.style.height = data.height;
    this.acknowledge(data.seen);
    this.layout(moved);
  }

  // A new filter or sort is a new order of rows: nothing of the old one may stay on screen.
  // Where the same question has another answer (something was excluded) the place stays.
  show(data) {
    const first = this.view === null, same = !first && this.question === data.question;
    this.dropWindows(() => true);
    for (const line of this.lines) for (const cell of line.cells) this.blank(cell);
    this.view = data.view; this.question = data.question; this.total = data.total;
    const before = first ? this.recalled() : same ? { place: this.place } : {};
    this.place = clamp(before.place || 0, 0, Math.max(0, data.total - 1));
    this.wanted = { top: same && this.sections ? this.top : 0, topmost: before.topmost || null };
    this.anchor = this.awaited = null;
    this.ranges = before.ranges || [];
    this.sayChosen();
  }

  // What the person did here survives another page and a reload: it is kept in this tab alone.
  recalled() {
    return remembered().find(([view]) => view === this.view)?.[1] || {};
  }

  remember() {
    // not the height itself: the cells may have another size by then
    const kept = { place: this.place, topmost: this.topmost,
                   ranges: this.ranges.length <= REMEMBERED_RANGES ? this.ranges : [] };
    const others = remembered().filter(([view]) => view !== this.view).slice(0, REMEMBERED_VIEWS - 1);
    try { sessionStorage.setItem(MEMORY, JSON.stringify([[this.view, kept], ...others])); } catch { /* storage is full or shut */ }
  }

  layout(again = false) {
    const width = this.el.clientWidth;
    if (!width || this.total == null) return;
    const columns = Math.max(1, Math.floor(width / this.size)), cellWidth = width / columns;
    const lineHeight = cellWidth + (this.size >= 96 ? CAPTION : 0);
    const shape = [this.view, columns, lineHeight, JSON.stringify(this.groups)].join();
    if (shape !== this.shape || this.wanted) {
      // after a change of size the sample at the top stays at the top
      const topmost = this.wanted ? this.wanted.topmost : this.topmost || null, { top } = this.wanted || this;
      this.shape = shape; this.columns = columns; this.cellWidth = cellWidth; this.lineHeight = lineHeight;
      this.sections = new Sections(this.groups, this.total, columns, lineHeight);
      this.height = this.sections.height;
      this.scrolled = Math.min(this.height, MAX_HEIGHT);
      this.spacer.style.height = this.scrolled + "px";
      this.el.classList.toggle("bare", this.size < 96);
      this.el.setAttribute("aria-rowcount", this.sections.nLines);
      this.el.setAttribute("aria-colcount", columns);
      for (const line of this.lines) this.free(line);
      this.top = topmost === null ? top : this.sections.topOf(Math.min(topmost, this.total - 1)) - this.sections.heading;
      this.wanted = null;
    } else if (again) this.lastTop = null;
    this.draw();
  }

  // Beyond MAX_HEIGHT one pixel of the scrollbar is several of the view: the exact height is kept
  // here and holds while the scrollbar has not been moved by anything else.
  get top() {
    if (Math.abs(this.el.scrollTop - this.setTo) < 1.5 && this.exact != null) return this.exact;
    const most = this.scrolled - this.el.clientHeight;
    this.setTo = this.el.scrollTop;
    this.exact = most <= 0 ? 0 : (this.setTo / most) * Math.max(0, this.height - this.el.clientHeight);
    return this.exact;
  }

  set top(value) {
    const most = Math.max(0, this.height - this.el.clientHeight);
    this.exact = clamp(value, 0, most);
    this.el.scrollTop = most <= 0 ? 0 : (this.exact / most) * (this.scrolled - this.el.clientHeight);
    this.setTo = this.el.scrollTop;
  }

  wheeled(event) {
    if (this.height <= MAX_HEIGHT || event.ctrlKey || !event.deltaY) return;
    const by = event.deltaY * [1, this.lineHeight / 3, this.el.clientHeight][event.deltaMode];
    const before = this.top;
    this.top = before + by;
    if (this.top === before) return;    // at an end the page scrolls on
    event.preventDefault();
    this.drawSoon();
  }

  drawSoon() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    if (!this.sections) return;
    const top = this.top, margin = this.lineHeight;
    this.topmost = top > 0 ? this.sections.placeAt(top, 0) : 0;
    const shown = [...this.sections.between(top - margin, top + this.el.clientHeight + margin)];
    this.placeLines(shown, top);
    this.stick(top);
    this.say(top);
    const cells = shown.filter(line => line.to > line.from);
    if (cells.length) this.load(cells[0].from, cells.at(-1).to, top);
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.remember(), 300);
  }

  // Lines that are still on screen stay as they are; the others are handed to new places.
  placeLines(shown, top) {
    const at = new Map(this.lines.filter(l => l.index >= 0).map(l => [l.index, l]));
    const wanted = new Set(shown.map(line => line.index));
    const free = this.lines.filter(l => !wanted.has(l.index));
    for (const line of shown) {
      const el = at.get(line.index) || this.fresh(free, line);
      el.el.style.transform = `translateY(${line.y - top}px)`;
      for (const cell of el.cells) if (cell.at >= 0) this.paint(cell);
    }
    for (const line of free) this.free(line);
    const current = this.cellAt(this.place);
    current ? this.el.setAttribute("aria-activedescendant", current.el.id) : this.el.removeAttribute("aria-activedescendant");
  }

  fresh(free, { index, from, to, title, count }) {
    const line = free.pop() || this.makeLine();
    line.index = index;
    line.el.setAttribute("aria-rowindex", index + 1);
    line.el.style.display = "";
    line.el.classList.toggle("heading", title !== undefined);
    line.title.hidden = title === undefined;
    line.title.textContent = title === undefined ? "" : `${title} · ${number(count)}`;
    line.el.style.height = (title === undefined ? this.lineHeight : HEADING) + "px";
    const n = title === undefined ? to - from : 0;
    while (line.cells.length < n) line.cells.push(this.makeCell(line.el));
    line.cells.forEach((cell, i) => {
      this.blank(cell);
      cell.at = i < n ? from + i : -1;
      cell.el.style.display = i < n ? "" : "none";
      if (i >= n) { cell.el.removeAttribute("id"); return; }
      cell.el.id = "cell-" + cell.at;
      cell.el.setAttribute("aria-colindex", i + 1);
      cell.el.style.cssText = `width:${this.cellWidth}px;height:${this.lineHeight}px;transform:translateX(${i * this.cellWidth}px)`;
    });
    return line;
  }

  makeLine() {
    const el = element("div", "line", this.cells);
    el.setAttribute("role", "row");
    const title = element("div", "title", el);
    title.setAttribute("role", "rowheader");
    const line = { el, title, cells: [], index: -1 };
    this.lines.push(line);
    return line;
  }

  free(line) {
    line.index = -1;
    line.el.style.display = "none";
    for (const cell of line.cells) { this.blank(cell); cell.at = -1; cell.el.removeAttribute("id"); }
  }

  makeCell(parent) {
    const el = element("div", "cell", parent);
    el.setAttribute("role", "gridcell");
    const frame = element("div", "frame", el);
    const img = element("img", "", frame);
    img.alt = ""; img.decoding = "async"; img.draggable = false;
    const missing = element("div", "missing", frame);
    const check = element("span", "check", frame);
    check.setAttribute("aria-hidden", "true");
    const found = element("div", "chips found", frame), tags = element("div", "chips tags", frame);
    const name = element("div", "name", el), label = element("div", "label", el);
    const cell = { el, frame, img, missing, check, found, tags, name, label, boxes: null, at: -1, sample: null, bytes: null };
    el.cell = cell;
    this.blank(cell);
    return cell;
  }

  blank(cell) {
    if (cell.sample === null && cell.clean) return;
    if (cell === this.over) this.hush();
    cell.sample = cell.bytes = null; cell.clean = true;
    cell.img.removeAttribute("src");
    cell.img.style.display = cell.missing.style.display = "none";
    for (const part of [cell.missing, cell.name, cell.label, cell.found, cell.tags]) part.replaceChildren();
    cell.boxes?.replaceChildren();
    cell.el.className = "cell";
    cell.el.removeAttribute("aria-label");
    cell.el.removeAttribute("title");
  }

  cellAt(place) {
    for (const line of this.lines) if (line.index >= 0) for (const cell of line.cells) if (cell.at === place) return cell;
  }

  paint(cell) {
    const sample = this.sampleAt(cell.at);
    if (sample && cell.sample !== sample) this.fill(cell, sample);
    cell.el.classList.toggle("current", cell.at === this.place);
    const on = holds(this.ranges, cell.at);
    cell.el.classList.toggle("selected", on);
    cell.el.setAttribute("aria-selected", on);
  }

  paintAll() {
    for (const line of this.lines) if (line.index >= 0) for (const cell of line.cells) if (cell.at >= 0) this.paint(cell);
  }

  fill(cell, sample) {
    if (cell === this.over && cell.sample?.row !== sample.row) this.hush();  // under a pointer that rests
    cell.sample = sample; cell.clean = false;
    const { bytes, error, path, label = "", relabel, decision } = sample;
    if (cell.bytes !== bytes) {
      cell.bytes = bytes;
      const there = bytes.length > 0;
      if (there) cell.img.src = picture(bytes);
      cell.img.style.display = there ? "" : "none";
      cell.missing.style.display = there ? "none" : "";
      cell.missing.textContent = there ? "" : "no picture\n" + (error || "not decoded").replaceAll("_", " ");
    }
    cell.name.textContent = baseName(path);
    cell.label.textContent = relabel ? `${label || "no label"} → ${relabel}` : label;
    cell.label.classList.toggle("changed", Boolean(relabel));
    cell.el.classList.toggle("excluded", decision === "excluded");
    this.fillChips(cell, sample);
    this.fillBoxes(cell, sample);
    cell.el.title = path;
    cell.el.setAttribute("aria-label", this.spoken(sample).join(", "));
  }

  spoken({ path, label, relabel, split, error, decision, findings = [], tags = [], note }) {
    return [path, label, relabel && `relabelled ${relabel}`, split, error?.replaceAll("_", " "), decision,
            ...findings.map(id => this.badges[id]?.[1] || id), tags.length && `tags: ${tags.join(", ")}`,
            note && `note: ${note}`].filter(Boolean);
  }

  fillChips(cell, { findings = [], tags = [], decision }) {
    cell.found.replaceChildren();
    cell.tags.replaceChildren();
    if (decision) element("span", "chip " + decision, cell.found, decision);
    for (const id of findings.slice(0, CHIPS)) element("span", "chip " + (this.badges[id]?.[2] || ""), cell.found, this.badges[id]?.[0] || id);
    if (findings.length > CHIPS) element("span", "chip", cell.found, "+" + (findings.length - CHIPS));
    for (const tag of tags.slice(0, 2)) element("span", "chip tag", cell.tags, tag);
    if (tags.length > 2) element("span", "chip tag", cell.tags, "+" + (tags.length - 2));
  }

  // The drawing has the picture's own sides and is fitted into the frame by the browser's same rule.
  fillBoxes(cell, { size, boxes = [] }) {
    if (!cell.boxes && !boxes.length) return;
    if (!cell.boxes) {
      cell.boxes = document.createElementNS(SVG, "svg");
      cell.boxes.setAttribute("class", "boxes");
      cell.boxes.setAttribute("aria-hidden", "true");
      cell.img.after(cell.boxes);
    }
    cell.boxes.replaceChildren();
    if (!boxes.length) return;
    const [width, height] = size;
    cell.boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const labels = [...new Set(boxes.map(box => box[4]))].sort();
    for (const [x0, y0, x1, y1, label] of boxes) for (const under of ["under", "over"]) {
      const rect = document.createElementNS(SVG, "rect");
      for (const [name, value] of [["x", x0 * width], ["y", y0 * height], ["width", Math.max(0, (x1 - x0) * width)],
                                   ["height", Math.max(0, (y1 - y0) * height)]]) rect.setAttribute(name, value);
      rect.setAttribute("class", `${under} colour-${labels.indexOf(label) % 4}`);
      cell.boxes.append(rect);
    }
  }

  stick(top) {
    const { sections } = this;
    const g = sections.find(sections.tops, top), [title, count] = sections.groups[g];
    const shown = sections.heading > 0 && this.total > 0;
    this.stuck.style.display = shown ? "" : "none";
    if (!shown) return;
    const text = `${title} · ${number(count)}`;
    if (this.stuck.textContent !== text) this.stuck.textContent = text;
    this.stuck.style.transform = `translateY(${Math.min(0, sections.tops[g + 1] - top - HEADING)}px)`;
  }

  // While the scrollbar is dragged every frame shows another window: fetch only where it rests.
  load(from, to, top) {
    clearTimeout(this.timer);
    const first = Math.floor(from / WINDOW), last = Math.floor(Math.max(from, to - 1) / WINDOW);
    const moved = top - (this.lastTop ?? top), now = performance.now();
    const go = () => {
      for (let w = first; w <= last; w++) this.fetchWindow(w);
      this.dropWindows(w => w < first - KEPT_AROUND || w > last + KEPT_AROUND);
      clearTimeout(this.ahead);
      const next = moved < 0 ? first - 1 : last + 1;
      this.ahead = setTimeout(() => { if (next >= 0 && next * WINDOW < this.total) this.fetchWindow(next); }, 150);
    };
    const slow = Math.abs(moved) < this.el.clientHeight || now - (this.lastDraw ?? -1e9) > 120;
    this.lastTop = top; this.lastDraw = now;
    if (slow) go(); else this.timer = setTimeout(go, 60);
  }

  async fetchWindow(w) {
    const old = this.windows.get(w), facts = this.facts;
    if (old?.facts === facts) return;
    if (old && !old.done) old.cancel.abort();
    const slot = { facts, cancel: new AbortController(), samples: old?.samples, done: false };
    this.windows.set(w, slot);
    try {
      const lean = slot.samples ? "&pictures=0" : "";
      const answer = await fetch(address(`api/window/${this.view}?start=${w * WINDOW}${facts}${lean}`), { signal: slot.cancel.signal });
      if (answer.status === 410) { this.trigger("expired", Date.now()); throw new Error("the results changed"); }
      // Where our routes are not mounted, Streamlit answers every path with its index page and 200.
      const binary = (answer.headers.get("content-type") || "").includes("octet-stream");
      if (!answer.ok || !binary) throw new Error(answer.ok ? "start the app with `recipe app`" : answer.status);
      const samples = unpack(await answer.arrayBuffer());
      if (this.windows.get(w) !== slot) return;
      if (slot.samples) samples.forEach((sample, i) => { sample.bytes = slot.samples[i].bytes; });
      slot.samples = samples;
      slot.done = true;
      this.trouble.textContent = "";
      this.paintAll();
      if (this.awaited === this.place && this.el.matches(":focus")) this.inspect();
    } catch (error) {
      if (this.windows.get(w) !== slot) return;
      this.windows.delete(w);
      if (error.name === "AbortError") return;
      this.trouble.textContent = `Pictures could not be loaded: ${error.message}`;
      clearTimeout(this.again);
      this.again = setTimeout(() => this.drawSoon(), 3000);
    }
  }

  dropWindows(drop) {
    for (const [w, slot] of this.windows) if (drop(w)) { this.windows.delete(w); if (!slot.done) slot.cancel.abort(); }
  }

  sampleAt(i) {
    return i < 0 ? undefined : this.windows.get(Math.floor(i / WINDOW))?.samples?.[i % WINDOW];
  }

  // -- acting -----------------------------------------------------------------------------------

  clicked(event) {
    const hit = event.composedPath().find(node => node.cell)?.cell;
    if (!hit) return;
    const before = this.place;
    this.place = hit.at;
    this.el.focus({ preventScroll: true });
    if (event.shiftKey) this.selectTo(hit.at, this.anchor ?? before);
    else if (event.ctrlKey || event.metaKey || event.composedPath()[0] === hit.check) this.toggle(hit.at);
    else { this.anchor = null; this.paintAll(); this.inspect(); }
    this.draw();
  }

  toggle(place) {
    const on = holds(this.ranges, place);
    this.choose((on ? without : joined)(this.ranges, place, place + 1));
    this.anchor = place;
    this.base = this.ranges;
  }

  selectTo(place, anchor) {
    if (this.anchor == null) { this.anchor = anchor; this.base = this.ranges; }
    this.choose(joined(this.base, Math.min(this.anchor, place), Math.max(this.anchor, place) + 1));
  }

  choose(ranges) {
    this.ranges = ranges;
    if (!ranges.length) this.anchor = null;
    this.paintAll();
    this.sayChosen();
    this.remember();
  }

  sayChosen() {
    const n = counted(this.ranges);
    this.chosen.textContent = n ? `${number(n)} selected` : "";
    this.none.hidden = !n;
    this.root.classList?.toggle("choosing", n > 0);
    this.el.classList.toggle("choosing", n > 0);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(), 120);
  }

  // Never while the component is being mounted: Streamlit would run the page again and again.
  tell() {
    const said = this.ranges.length ? JSON.stringify([this.view, this.ranges]) : "";
    if (said === this.known) return;
    this.known = said;
    this.setState("selection", { view: this.view, ranges: this.ranges });
  }

  // What is not there yet opens as soon as it is, if the person still is at it.
  inspect() {
    const sample = this.sampleAt(this.place);
    this.awaited = sample ? null : this.place;
    if (!sample) return;
    this.trigger("inspect", { row: sample.row, place: this.place });
    this.awaitReturn();
  }

  // A dialog gives the focus back to what had it, but not into a component's shadow: we take it.
  awaitReturn() {
    this.watching?.disconnect();
    let seen = false;
    this.watching = new MutationObserver(() => {
      const open = document.querySelector("[role=dialog]") !== null;
      seen ||= open;
      if (!seen || open) return;
      this.watching.disconnect();
      this.takeBack(10);
    });
    this.watching.observe(document.body, { childList: true, subtree: true });
  }

  takeBack(tries) {
    if ((document.activeElement ?? document.body) === document.body) this.el.focus({ preventScroll: true });
    else if (tries > 0 && !this.root.contains(document.activeElement)) this.taking = setTimeout(() => this.takeBack(tries - 1), 100);
  }

  command(name) {
    const ranges = this.ranges.length ? this.ranges : [[this.place, this.place + 1]];
    this.queue.push({ name, ranges, view: this.view, id: ++this.serial });
    this.send();
  }

  // One at a time: of two triggers in one run of the page only the later would arrive.
  send() {
    if (this.inFlight || !this.queue.length) return;
    this.inFlight = this.queue[0].id;
    this.trigger("command", this.queue[0]);
    this.resend = setTimeout(() => { this.inFlight = 0; this.send(); }, RESEND_MS);
  }

  acknowledge(seen) {
    while (this.queue.length && this.queue[0].id <= seen) this.queue.shift();
    if (!this.inFlight || this.inFlight > seen) return;
    clearTimeout(this.resend);
    this.inFlight = 0;
    setTimeout(() => this.send(), 0);
  }

  pressed(event) {
    const { key, shiftKey } = event, control = event.ctrlKey || event.metaKey;
    if (event.altKey || !this.total || (control && key.toLowerCase() !== "a")) return;
    const done = control ? this.choose([[0, this.total]]) ?? true
      : this.moved(key, shiftKey) || this.chose(key) || this.commanded(key);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  moved(key, shift) {
    const page = Math.max(1, Math.floor(this.el.clientHeight / this.lineHeight)), { place, sections } = this;
    const to = { ArrowLeft: () => place - 1, ArrowRight: () => place + 1,
                 ArrowUp: () => sections.step(place, -1), ArrowDown: () => sections.step(place, 1),
                 PageUp: () => sections.step(place, -page), PageDown: () => sections.step(place, page),
                 Home: () => 0, End: () => this.total - 1 }[key]?.();
    if (to === undefined) return false;
    this.place = clamp(to, 0, this.total - 1);
    if (shift) this.selectTo(this.place, place); else this.anchor = null;
    this.reveal();
    return true;
  }

  chose(key) {
    if (key === " ") this.toggle(this.place);
    else if (key === "Escape" && this.ranges.length) this.choose([]);
    else return false;
    return true;
  }

  commanded(key) {
    if (key === "Enter") this.inspect();
    else if (key === "x" || key === "X") this.command("exclude");
    else if (key === "u" || key === "U") this.command(key === "u" ? "undo" : "redo");
    else if (key >= "1" && key <= "9" && key.length === 1) this.command("tag" + key);
    else return false;
    return true;
  }

  reveal() {
    const { sections } = this, y = sections.topOf(this.place), top = this.top;
    if (y - sections.heading < top) this.top = y - sections.heading;
    else if (y + this.lineHeight > top + this.el.clientHeight) this.top = y + this.lineHeight - this.el.clientHeight;
    this.draw();
  }

  // -- telling ----------------------------------------------------------------------------------

  // The browser's own tooltip, which shows the path late, gives way to one that shows all at once.
  hovered(event) {
    const hit = event.composedPath().find(node => node.cell)?.cell;
    if (hit === this.over) return;
    this.hush();
    if (!hit?.sample || event.pointerType === "touch") return;
    this.over = hit;
    hit.el.removeAttribute("title");
    this.tip.replaceChildren();
    for (const text of this.spoken(hit.sample)) element("div", "", this.tip, text);
    this.tip.style.display = "block";
    const cell = hit.el.getBoundingClientRect(), grid = this.el.getBoundingClientRect(), tip = this.tip.getBoundingClientRect();
    const below = cell.bottom - grid.top + tip.height + 4 < grid.height;
    const x = clamp(cell.left - grid.left, 4, Math.max(4, grid.width - tip.width - 20));
    const y = below ? cell.bottom - grid.top + 2 : Math.max(4, cell.top - grid.top - tip.height - 2);
    this.tip.style.transform = `translate(${x}px,${y}px)`;
  }

  hush() {
    if (this.over?.sample) this.over.el.title = this.over.sample.path;
    this.over = null;
    this.tip.style.display = "none";
  }

  say(top) {
    const { sections } = this;
    const first = this.total && sections.placeAt(top, 0) + 1;
    const last = this.total && sections.placeAt(top + this.el.clientHeight - 1, this.columns - 1) + 1;
    const range = this.total ? ` · showing ${number(first)} to ${number(last)}` : "";
    this.says.textContent = `${number(this.total)} ${this.total === 1 ? "sample" : "samples"}${range}`;
  }

  destroy() {
    if (this.view !== null) this.remember();
    this.dropWindows(() => true);
    document.removeEventListener("recipe:pictures", this.asked);
    this.sizes.disconnect();
    for (const timer of [this.timer, this.ahead, this.again, this.telling, this.resend, this.keeping]) clearTimeout(timer);
    this.watching?.disconnect();
    clearTimeout(this.taking);
    cancelAnimationFrame(this.frame);
    this.bar.remove();
    this.el.remove();
  }
}

export default function (component) {
  const root = component.parentElement;
  if (!grids.has(root)) grids.set(root, new Grid(root));
  grids.get(root).update(component);
  return () => { grids.get(root)?.destroy(); grids.delete(root); };
}
