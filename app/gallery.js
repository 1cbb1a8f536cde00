// Which of a million pictures are on screen? A grid that holds only those cells.
// Names from the data set reach textContent and attributes only, never markup.
const WINDOW = 128;
const MAX_HEIGHT = 8e6;      // browsers cap an element at 16 … 33 Mpx: beyond this, scrolling is scaled
const KEPT_AROUND = 6;       // windows kept on each side of the visible ones
const CAPTION = 40;
const PAD = 5;
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

function element(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent?.append(made);
  return made;
}

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  return header.rows.map(([row, path, label, error], k) => {
    const bytes = new Uint8Array(buffer, at, header.lengths[k]);
    at += header.lengths[k];
    return { row, path, label, error, bytes };
  });
}

class Grid {
  constructor(root) {
    this.root = root;
    this.bar = element("div", "bar", root);
    this.bar.setAttribute("role", "status");
    this.el = element("div", "grid", root);
    this.el.tabIndex = 0;
    this.el.setAttribute("role", "grid");
    this.el.setAttribute("aria-label", "Samples");
    this.cells = element("div", "cells", this.el);
    this.spacer = element("div", "spacer", this.el);
    this.pool = [];
    this.windows = new Map();
    this.current = 0;
    this.total = null;
    this.el.addEventListener("scroll", () => this.drawSoon(), { passive: true });
    this.el.addEventListener("click", event => this.clicked(event));
    this.el.addEventListener("keydown", event => this.pressed(event));
    this.sizes = new ResizeObserver(() => this.layout());
    this.sizes.observe(this.el);
  }

  update({ data, setTriggerValue }) {
    this.trigger = setTriggerValue;
    if (this.view !== data.view) this.show(data);
    this.size = data.size;
    this.el.style.height = data.height;
    this.layout();
  }

  // A new filter or sort is a new order of rows: nothing of the old one may stay on screen.
  show(data) {
    this.dropWindows(() => true);
    this.view = data.view;
    this.total = data.total;
    this.current = 0;
    this.el.scrollTop = 0;
    for (const cell of this.pool) this.blank(cell);
  }

  layout() {
    const width = this.el.clientWidth;
    if (!width || this.total == null) return;
    const old = this.rowHeight ? Math.floor(this.top / this.rowHeight) * this.columns : 0;
    this.columns = Math.max(1, Math.floor(width / this.size));
    this.cellWidth = width / this.columns;
    this.rowHeight = this.cellWidth + (this.size >= 96 ? CAPTION : 0);
    this.el.classList.toggle("bare", this.size < 96);
    this.rows = Math.ceil(this.total / this.columns);
    this.height = this.rows * this.rowHeight;
    this.scrolled = Math.min(this.height, MAX_HEIGHT);
    this.spacer.style.height = this.scrolled + "px";
    this.el.setAttribute("aria-rowcount", this.rows);
    this.el.setAttribute("aria-colcount", this.columns);
    if (old) this.top = Math.floor(old / this.columns) * this.rowHeight;
    this.draw();
  }

  get top() {
    const most = this.scrolled - this.el.clientHeight;
    return most <= 0 ? 0 : (this.el.scrollTop / most) * (this.height - this.el.clientHeight);
  }

  set top(value) {
    const most = this.height - this.el.clientHeight;
    this.el.scrollTop = most <= 0 ? 0 : (value / most) * (this.scrolled - this.el.clientHeight);
  }

  drawSoon() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    const top = this.top;
    const firstRow = Math.max(0, Math.floor(top / this.rowHeight) - 1);
    const lastRow = Math.min(this.rows, Math.ceil((top + this.el.clientHeight) / this.rowHeight) + 1);
    const from = firstRow * this.columns, to = Math.min(this.total, lastRow * this.columns);
    this.place(from, to, top);
    this.say(top);
    this.load(from, to);
  }

  // Cells that are still on screen stay as they are; the others are handed to new places.
  place(from, to, top) {
    while (this.pool.length < to - from) this.pool.push(this.makeCell());
    const at = new Map(), free = [];
    for (const cell of this.pool) cell.at >= from && cell.at < to ? at.set(cell.at, cell) : free.push(cell);
    for (let i = from; i < to; i++) {
      let cell = at.get(i);
      if (!cell) { cell = free.shift(); this.blank(cell); cell.at = i; }
      const x = (i % this.columns) * this.cellWidth, y = Math.floor(i / this.columns) * this.rowHeight - top;
      cell.el.style.cssText = `width:${this.cellWidth}px;height:${this.rowHeight}px;transform:translate(${x}px,${y}px)`;
      this.paint(cell);
    }
    for (const cell of free) { cell.at = -1; cell.el.style.display = "none"; }
  }

  makeCell() {
    const el = element("div", "cell", this.cells);
    el.setAttribute("role", "gridcell");
    const frame = element("div", "frame", el);
    const img = element("img", "", frame);
    img.alt = ""; img.decoding = "async"; img.draggable = false;
    const missing = element("div", "missing", frame);
    const name = element("div", "name", el), label = element("div", "label", el);
    const cell = { el, img, missing, name, label, at: -1, row: null };
    el.cell = cell;
    return cell;
  }

  blank(cell) {
    cell.row = null;
    cell.img.removeAttribute("src");
    cell.img.style.display = "none";
    for (const part of [cell.missing, cell.name, cell.label]) part.textContent = "";
    cell.missing.style.display = "none";
    cell.el.removeAttribute("aria-label");
    cell.el.removeAttribute("title");
  }

  paint(cell) {
    const sample = this.sampleAt(cell.at);
    if (sample && cell.row === null) this.fill(cell, sample);
    const here = cell.at === this.current;
    cell.el.classList.toggle("current", here);
    cell.el.id = "cell-" + cell.at;
    if (here) this.el.setAttribute("aria-activedescendant", cell.el.id);
  }

  fill(cell, { row, path, label, error, bytes }) {
    cell.row = row;
    if (bytes.length) { cell.img.src = picture(bytes); cell.img.style.display = ""; }
    else { cell.missing.textContent = "no picture\n" + (error || "not decoded").replaceAll("_", " "); cell.missing.style.display = ""; }
    cell.name.textContent = baseName(path);
    cell.label.textContent = label;
    cell.el.title = path;
    cell.el.setAttribute("aria-label", [path, label, error].filter(Boolean).join(", "));
  }

  // While the scrollbar is dragged every frame shows another window: fetch only where it rests.
  load(from, to) {
    clearTimeout(this.timer);
    const first = Math.floor(from / WINDOW), last = Math.floor(Math.max(from, to - 1) / WINDOW);
    const go = () => {
      for (let w = first; w <= last && to > 0; w++) this.fetchWindow(w);
      this.dropWindows(w => w < first - KEPT_AROUND || w > last + KEPT_AROUND);
    };
    const now = performance.now(), rested = now - (this.lastDraw || 0) > 120;
    this.lastDraw = now;
    if (rested) go(); else this.timer = setTimeout(go, 60);
  }

  async fetchWindow(w) {
    if (this.windows.has(w)) return;
    const view = this.view, cancel = new AbortController(), slot = { cancel };
    this.windows.set(w, slot);
    try {
      const answer = await fetch(address(`api/window/${view}?start=${w * WINDOW}`), { signal: cancel.signal });
      if (answer.status === 410) { this.trigger("expired", Date.now()); throw new Error("the results changed"); }
      // Where our routes are not mounted, Streamlit answers every path with its index page and 200.
      const binary = (answer.headers.get("content-type") || "").includes("octet-stream");
      if (!answer.ok || !binary) throw new Error(answer.ok ? "start the app with `recipe app`" : answer.status);
      const samples = unpack(await answer.arrayBuffer());
      if (view !== this.view) return;
      slot.samples = samples;
      for (const cell of this.pool) if (cell.at >= 0 && Math.floor(cell.at / WINDOW) === w) this.paint(cell);
    } catch (error) {
      if (this.windows.get(w) === slot) this.windows.delete(w);
      if (error.name !== "AbortError") this.bar.textContent = `Pictures could not be loaded: ${error.message}`;
    }
  }

  dropWindows(drop) {
    for (const [w, slot] of this.windows) if (drop(w)) { if (!slot.samples) slot.cancel.abort(); this.windows.delete(w); }
  }

  sampleAt(i) {
    return i < 0 ? undefined : this.windows.get(Math.floor(i / WINDOW))?.samples?.[i % WINDOW];
  }

  clicked(event) {
    const hit = event.composedPath().find(node => node.cell);
    if (!hit) return;
    this.current = hit.cell.at;
    for (const cell of this.pool) if (cell.at >= 0) this.paint(cell);
    this.inspect();
  }

  inspect() {
    const sample = this.sampleAt(this.current);
    if (sample) this.trigger("inspect", { row: sample.row, place: this.current });
  }

  pressed(event) {
    const page = Math.max(1, Math.floor(this.el.clientHeight / this.rowHeight)) * this.columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns,
                    PageUp: -page, PageDown: page, Home: -this.total, End: this.total };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") this.inspect();
    else if (event.key in steps) this.moveTo(this.current + steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  moveTo(place) {
    this.current = clamp(place, 0, this.total - 1);
    const y = Math.floor(this.current / this.columns) * this.rowHeight, top = this.top;
    if (y < top) this.top = y;
    else if (y + this.rowHeight > top + this.el.clientHeight) this.top = y + this.rowHeight - this.el.clientHeight;
    this.draw();
  }

  say(top) {
    const first = Math.floor(top / this.rowHeight) * this.columns;
    const last = Math.min(this.total, Math.ceil((top + this.el.clientHeight) / this.rowHeight) * this.columns);
    const range = this.total ? ` · showing ${(first + 1).toLocaleString("en")} to ${last.toLocaleString("en")}` : "";
    this.bar.textContent = `${this.total.toLocaleString("en")} ${this.total === 1 ? "sample" : "samples"}${range}`;
  }

  destroy() {
    this.dropWindows(() => true);
    this.sizes.disconnect();
    clearTimeout(this.timer);
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
