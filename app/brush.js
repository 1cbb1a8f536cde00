// Which part of a plot is meant? A canvas that is drawn once per question, and a box on top of it.
// Names from the data set reach textContent, attributes and fillText only, never markup.
const HEIGHT = 340, TOP = 10, RIGHT = 14, BOTTOM = 42;
const MARGIN = 0.03;         // of an axis, beyond its first and last value
const STEP = 0.02;           // of an axis, per arrow key
const CLICK = 4;             // px that a hand moves during a click
const plots = new WeakMap();

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text != null) made.textContent = text;
  parent?.append(made);
  return made;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const whole = n => n.toLocaleString("en");

function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(s => s * power >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step + 0);   // never -0
  const text = v => Math.abs(high) >= 1e5 ? v.toLocaleString("en", { notation: "compact" })
    : v.toLocaleString("en", { minimumFractionDigits: Math.min(digits, 6), maximumFractionDigits: Math.min(digits, 6) });
  return found.map(v => [v, text(v)]);
}

const short = v => Math.abs(v) >= 1e4 ? whole(Math.round(v)) : String(Number(v.toPrecision(3)));

class Plot {
  constructor(root) {
    this.el = element("div", "plot", root);
    this.legend = element("div", "legend", this.el);
    this.area = element("div", "area", this.el);
    this.area.tabIndex = 0;
    this.area.setAttribute("role", "application");
    this.area.setAttribute("aria-keyshortcuts", "ArrowLeft ArrowRight ArrowUp ArrowDown Enter Escape");
    this.canvas = element("canvas", "", this.area);
    this.canvas.setAttribute("aria-hidden", "true");
    this.frame = element("div", "box", this.area);
    this.tip = element("div", "tip", this.area);
    this.tip.setAttribute("aria-hidden", "true");
    this.said = element("div", "said", this.el);
    this.said.setAttribute("aria-live", "polite");
    this.list = element("div", "bars", this.el);
    this.area.addEventListener("pointerdown", event => this.pressed(event));
    this.area.addEventListener("pointermove", event => this.moved(event));
    this.area.addEventListener("pointerup", event => this.released(event));
    this.area.addEventListener("pointercancel", () => { this.from = null; this.settle(); });
    this.area.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.area.addEventListener("dblclick", () => this.data.kind === "points" && this.box && this.clear());
    this.area.addEventListener("keydown", event => this.keyed(event));
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.area);
  }

  update({ data, setTriggerValue }) {
    this.act = act => setTriggerValue("act", act);
    const text = JSON.stringify(data.ground) + JSON.stringify(data.colours);
    const chosen = JSON.stringify(data.chosen);
    this.data = data.ground; this.colours = data.colours; this.chosen = data.chosen;
    const bars = this.data.kind === "bars";
    this.area.hidden = bars;
    this.list.hidden = !bars;
    if (text !== this.drawn || (bars && chosen !== this.drawnChosen)) {
      this.drawn = text; this.drawnChosen = chosen;
      this.explain();
      bars ? this.bars() : this.draw();
    }
    if (!bars && !this.from) this.settle();
  }

  explain() {
    this.legend.replaceChildren();
    this.legend.hidden = this.data.series.length < 2;
    this.data.series.forEach((name, i) => {
      const item = element("span", "", this.legend);
      element("i", "", item).style.setProperty("--colour", this.colours.series[i]);
      element("span", "", item, name);
    });
    this.area.setAttribute("aria-label", `${this.data.title}. Arrow keys move a box, with Shift they change its size, `
      + "Enter filters by it, Escape takes it away.");
    this.list.setAttribute("aria-label", this.data.title);
    this.list.setAttribute("role", "group");
  }

  // -- drawing ------------------------------------------------------------------------------------

  resized() {
    if (this.data && this.data.kind !== "bars" && this.area.clientWidth && this.area.clientWidth !== this.width) {
      this.draw();
      this.settle();
    }
  }

  draw() {
    const width = this.width = this.area.clientWidth, scale = devicePixelRatio || 1;
    if (!width) return;
    this.canvas.width = Math.round(width * scale); this.canvas.height = Math.round(HEIGHT * scale);
    this.canvas.style.height = HEIGHT + "px";
    const pen = this.pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = `11px ${getComputedStyle(this.el).fontFamily}`;
    this.axes = [this.data.x, this.data.y].map(({ low, high }, i) => {
      const wide = (high - low || Math.abs(low) || 1) * MARGIN, zero = i === 1 && this.data.kind === "heights";
      return zero ? [0, (high || 1) * (1 + MARGIN)] : [low - wide, high + wide];
    });
    const up = ticks(...this.axes[1], 6), left = 30 + Math.max(...up.map(t => pen.measureText(t[1]).width));
    this.plot = { left, top: TOP, width: Math.max(1, width - left - RIGHT), height: HEIGHT - TOP - BOTTOM };
    this.grid(ticks(...this.axes[0], Math.max(2, Math.floor(this.plot.width / 60))), up);
    pen.save();
    pen.beginPath(); pen.rect(left, TOP, this.plot.width, this.plot.height); pen.clip();
    this.data.kind === "points" ? this.points() : this.heights();
    pen.restore();
  }

  X(value) { const [a, b] = this.axes[0]; return this.plot.left + (value - a) / (b - a) * this.plot.width; }
  Y(value) { const [a, b] = this.axes[1]; return this.plot.top + (b - value) / (b - a) * this.plot.height; }

  grid(across, up) {
    const { pen, plot, colours } = this, bottom = plot.top + plot.height;
    pen.strokeStyle = colours.rule; pen.fillStyle = colours.faint; pen.lineWidth = 1;
    const line = (x0, y0, x1, y1) => { pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); };
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (const [v, text] of across) { const x = Math.round(this.X(v)) + 0.5; line(x, plot.top, x, bottom); pen.fillText(text, x, bottom + 5); }
    pen.fillText(this.data.x.title, plot.left + plot.width / 2, bottom + 23);
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const [v, text] of up) { const y = Math.round(this.Y(v)) + 0.5; line(plot.left, y, plot.left + plot.width, y); pen.fillText(text, plot.left - 5, y); }
    pen.save();
    pen.translate(8, plot.top + plot.height / 2); pen.rotate(-Math.PI / 2); pen.textAlign = "center";
    pen.fillText(this.data.y.title, 0, 0);
    pen.restore();
  }

  points() {
    const { pen, data, colours } = this;
    if (data.shade) this.shade();
    const [places, codes] = data.points.split(".").map(bytes), view = new DataView(places.buffer);
    const [x0, y0] = [this.X(data.x.low), this.Y(data.y.low)], [x1, y1] = [this.X(data.x.high), this.Y(data.y.high)];
    pen.globalAlpha = 0.65;
    for (let s = 0; s < data.series.length; s++) {
      pen.fillStyle = colours.series[s];
      for (let i = 0; i < codes.length; i++) if (codes[i] === s) {
        const x = x0 + view.getUint16(4 * i, true) / 65535 * (x1 - x0), y = y0 + view.getUint16(4 * i + 2, true) / 65535 * (y1 - y0);
        pen.fillRect(x - 1.5, y - 1.5, 3, 3);
      }
    }
    pen.globalAlpha = 1;
  }

  shade() {
    const { columns, lines, x, y, counts } = this.data.shade, levels = bytes(counts);
    const small = document.createElement("canvas");
    small.width = columns; small.height = lines;
    const pen = small.getContext("2d"), image = pen.createImageData(columns, lines);
    const colour = [1, 3, 5].map(i => parseInt(this.colours.faint.slice(i, i + 2), 16));
    for (let j = 0; j < lines; j++) for (let i = 0; i < columns; i++)
      image.data.set([...colour, 0.75 * levels[j * columns + i]], 4 * ((lines - 1 - j) * columns + i));
    pen.putImageData(image, 0, 0);
    const left = this.X(x[0]), top = this.Y(y[1]);
    this.pen.drawImage(small, left, top, this.X(x[1]) - left, this.Y(y[0]) - top);
  }

  heights() {
    const { pen, data, colours } = this;
    for (let i = 0; i + 1 < data.edges.length; i++) {
      const left = this.X(data.edges[i]), width = Math.max(1, this.X(data.edges[i + 1]) - left - 0.5);
      let at = 0;
      data.counts.forEach((counts, s) => {
        pen.fillStyle = colours.series[s];
        const top = this.Y(at + counts[i]);
        if (counts[i]) pen.fillRect(left, top, width, Math.max(1, this.Y(at) - top));
        at += counts[i];
      });
    }
  }

  bars() {
    const focused = [...this.list.children].indexOf(this.list.getRootNode().activeElement);
    const { column, values, names, counts } = this.data, chosen = this.chosen;
    const sums = values.map((_, i) => counts.reduce((sum, line) => sum + line[i], 0)), most = Math.max(1, ...sums);
    this.list.replaceChildren(...values.map((value, i) => {
      const on = chosen.includes(value), bar = element("button", "bar" + (chosen.length && !on ? " pale" : ""));
      bar.type = "button"; bar.title = names[i];
      bar.setAttribute("aria-pressed", on);
      const parts = counts.length > 1
        ? counts.map((line, s) => line[i] && `${this.data.series[s]} ${whole(line[i])}`).filter(Boolean) : [];
      bar.setAttribute("aria-label", [`${names[i]}: ${whole(sums[i])}`, ...parts].join(", "));
      element("span", "name", bar, names[i]);
      const track = element("span", "track", bar);
      counts.forEach((line, s) => {
        if (!line[i]) return;
        const part = element("i", "", track);
        part.style.setProperty("--colour", this.colours.series[s]);
        part.style.width = `${100 * line[i] / most}%`;
      });
      element("span", "count", bar, whole(sums[i]));
      bar.addEventListener("click", event => {
        const several = event.ctrlKey || event.metaKey, others = this.chosen.filter(v => v !== value);
        const alone = on && !others.length, after = several ? (on ? others : [...others, value]) : alone ? [] : [value];
        this.act({ kind: "values", column, values: after });
      });
      return bar;
    }));
    this.list.children[focused]?.focus();
  }

  // -- the box: [[low, high] across, [low, high] up], in shares of the axes -------------------------

  settle() {
    if (!this.plot) return;
    const share = (value, i, open) => value == null ? open : clamp((value - this.axes[i][0]) / (this.axes[i][1] - this.axes[i][0]), 0, 1);
    const any = this.chosen.some(range => range.some(bound => bound != null));
    this.box = any ? this.chosen.map(([low, high], i) => [share(low, i, 0), share(high, i, 1)]) : null;
    this.show();
  }

  show() {
    this.frame.hidden = !this.box;
    if (!this.box) return;
    const { left, top, width, height } = this.plot, [[x0, x1], [y0, y1]] = this.box;
    this.frame.style.cssText = `left:${left + x0 * width}px;top:${top + (1 - y1) * height}px;`
      + `width:${Math.max(2, (x1 - x0) * width)}px;height:${Math.max(2, (y1 - y0) * height)}px`;
  }

  // What the box means: past the middle of a bar at an end it is open, the ends reach to the extremes.
  ranges() {
    const value = (i, share) => this.axes[i][0] + share * (this.axes[i][1] - this.axes[i][0]);
    if (this.data.kind === "points")
      return [this.data.x, this.data.y].map(({ column }, i) => ({ column, low: value(i, this.box[i][0]), high: value(i, this.box[i][1]) }));
    const { edges, x } = this.data, [low, high] = this.box[0].map(s => value(0, s)), n = edges.length - 1;
    return [{ column: x.column, low: low <= (edges[0] + edges[1]) / 2 ? null : low,
              high: high >= (edges[n - 1] + edges[n]) / 2 ? null : high }];
  }

  send() { if (this.box) this.act({ kind: "ranges", ranges: this.ranges() }); }

  clear() {
    this.box = null;
    this.show();
    this.act({ kind: "ranges", ranges: this.chosenColumns().map(column => ({ column, low: null, high: null })) });
  }

  chosenColumns() { return this.data.kind === "points" ? [this.data.x.column, this.data.y.column] : [this.data.x.column]; }

  at(event) {
    const frame = this.area.getBoundingClientRect(), { left, top, width, height } = this.plot;
    return [clamp((event.clientX - frame.left - left) / width, 0, 1), clamp(1 - (event.clientY - frame.top - top) / height, 0, 1)];
  }

  pressed(event) {
    if (event.button || !this.plot) return;
    this.area.setPointerCapture(event.pointerId);
    this.from = { share: this.at(event), x: event.clientX, y: event.clientY, dragged: false };
  }

  moved(event) {
    if (!this.plot) return;
    const now = this.at(event);
    this.point(now);
    if (!this.from) return;
    this.from.dragged ||= Math.hypot(event.clientX - this.from.x, event.clientY - this.from.y) > CLICK;
    if (this.from.dragged) this.drag(now);
  }

  drag(now) {
    const pairs = this.from.share.map((a, i) => [Math.min(a, now[i]), Math.max(a, now[i])]);
    this.box = this.data.kind === "points" ? pairs : [pairs[0], [0, 1]];
    this.show();
  }

  released(event) {
    if (!this.from) return;
    const { dragged } = this.from;
    if (dragged) this.drag(this.at(event));
    this.from = null;
    if (dragged) this.send(); else this.clicked(this.at(event));
  }

  // One bar is a range, too.
  clicked([share]) {
    if (this.data.kind !== "heights") return;
    const i = this.binAt(share), { edges, counts } = this.data;
    if (i < 0 || !counts.some(line => line[i])) return;
    const [a, b] = this.axes[0];
    this.box = [[(edges[i] - a) / (b - a), (edges[i + 1] - a) / (b - a)], [0, 1]];
    this.show();
    this.send();
  }

  binAt(share) {
    const value = this.axes[0][0] + share * (this.axes[0][1] - this.axes[0][0]), { edges } = this.data;
    return value < edges[0] ? -1 : edges.findIndex((edge, i) => i + 1 < edges.length && value >= edge && value <= edges[i + 1]);
  }

  point([across, up]) {
    const value = (i, share) => short(this.axes[i][0] + share * (this.axes[i][1] - this.axes[i][0]));
    let text = `${value(0, across)}, ${value(1, up)}`;
    if (this.data.kind === "heights") {
      const i = this.binAt(across), { edges, counts } = this.data;
      text = i < 0 ? "" : `${short(edges[i])} to ${short(edges[i + 1])}: ${whole(counts.reduce((sum, line) => sum + line[i], 0))}`;
    }
    this.tip.textContent = text;
    this.tip.hidden = !text;
  }

  // -- by keyboard --------------------------------------------------------------------------------

  keyed(event) {
    const by = { ArrowLeft: [0, -STEP], ArrowRight: [0, STEP], ArrowDown: [1, -STEP], ArrowUp: [1, STEP] }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || !this.plot) return;
    if (by) this.nudge(...by, event.shiftKey);
    else if (event.key === "Enter" && this.box) this.send();
    else if (event.key === "Escape" && this.box) this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudge(axis, by, resizes) {
    const flat = this.data.kind !== "points";
    if (flat && axis) return;
    this.box ||= [[0.25, 0.75], flat ? [0, 1] : [0.25, 0.75]];
    const [low, high] = this.box[axis], move = resizes ? by : clamp(by, -low, 1 - high);
    this.box[axis] = resizes ? [low, clamp(high + move, low + STEP, 1)] : [low + move, high + move];
    this.show();
    this.said.textContent = this.ranges().map(({ low, high }, i) =>
      `${(i ? this.data.y : this.data.x).title} ${low == null ? "from the start" : short(low)} to ${high == null ? "the end" : short(high)}`).join(", ");
  }

  destroy() {
    this.sizes.disconnect();
    this.el.remove();
  }
}

export default function (component) {
  const root = component.parentElement;
  if (!plots.has(root)) plots.set(root, new Plot(root));
  plots.get(root).update(component);
  return () => { plots.get(root)?.destroy(); plots.delete(root); };
}
