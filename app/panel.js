// Which samples are wanted? Check boxes with counts, ranges over histograms.
// Names from the data set reach textContent and attributes only, never markup.
const STEPS = 400;
const LONG = 10;             // a list with more values than this gets a search field
const panels = new WeakMap();
// The name space of SVG, as the browser itself has it.
const SVG = Object.assign(document.createElement("div"), { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text != null) made.textContent = text;
  parent?.append(made);
  return made;
}

const spoken = n => n.toLocaleString("en");
const short = value => String(Number(value.toPrecision(4)));

// The pictures are in another component: it listens. Forty stops of the Tab key lie in between.
const toPictures = () => document.dispatchEvent(new Event("recipe:pictures"));

class Panel {
  constructor(root) {
    this.leave = element("button", "plain skip", root, "Go on to the pictures");
    this.leave.type = "button";
    this.leave.addEventListener("click", toPictures);
    this.el = element("div", "panel", root);
    this.el.addEventListener("keydown", event => {
      const sought = event.key === "Escape" && event.target.type === "search" && event.target.value;
      if (event.key === "Escape" && !sought) toPictures();
    });
    this.open = new Map();
    this.sought = new Map();
  }

  update({ data, setTriggerValue }) {
    this.act = act => setTriggerValue("act", act);
    const text = JSON.stringify(data);
    if (text === this.drawn) return;
    this.drawn = text;
    this.draw(data);
  }

  // Drawn anew on every answer: what the person was at (focus, scrolling) is put back.
  draw(data) {
    const active = this.el.getRootNode().activeElement?.dataset?.id;
    const scrolled = new Map([...this.el.querySelectorAll(".values")].map(v => [v.dataset.of, v.scrollTop]));
    this.el.replaceChildren();
    for (const facet of data.facets.filter(f => f.open)) this.facet(facet);
    for (const range of data.ranges) this.range(range);
    this.moreRanges(data.more);
    for (const facet of data.facets.filter(f => !f.open)) this.facet(facet);
    for (const list of this.el.querySelectorAll(".values")) list.scrollTop = scrolled.get(list.dataset.of) || 0;
    if (active) [...this.el.querySelectorAll("[data-id]")].find(e => e.dataset.id === active)?.focus();
  }

  facet(facet) {
    const box = element("details", "", this.el);
    box.open = this.open.get(facet.column) ?? facet.open;
    box.addEventListener("toggle", () => this.open.set(facet.column, box.open));
    const head = element("summary", "", box);
    element("span", "", head, facet.title);
    head.dataset.id = "head:" + facet.column;
    const on = facet.values.filter(v => v.on).length;
    if (on) element("span", "used", head, `${on} chosen`);
    if (on) this.tools(box, facet);
    if (facet.values.length > LONG) this.search(box, facet);
    const list = element("div", "values", box);
    list.dataset.of = facet.column;
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", facet.title);
    const most = Math.max(1, ...facet.values.map(v => v.count));
    for (const value of facet.values) this.value(list, facet, value, most);
    if (facet.note) element("div", "note", box, facet.note);
    if (facet.more) element("div", "note", box, `and ${spoken(facet.more)} rarer values: search for them by text or SQL`);
    this.sift(list, this.sought.get(facet.column) || "");
  }

  tools(box, facet) {
    const tools = element("div", "tools", box);
    const clear = element("button", "plain", tools, "Clear");
    clear.setAttribute("aria-label", `Clear ${facet.title}`);
    clear.addEventListener("click", () => this.act({ kind: "values", column: facet.column, values: [] }));
  }

  search(box, facet) {
    const input = element("input", "", box);
    input.type = "search";
    input.placeholder = `Search ${spoken(facet.values.length)} values`;
    input.setAttribute("aria-label", `Search values of ${facet.title}`);
    input.value = this.sought.get(facet.column) || "";
    input.dataset.id = "search:" + facet.column;
    input.addEventListener("input", () => {
      this.sought.set(facet.column, input.value);
      this.sift(box.querySelector(".values"), input.value);
    });
  }

  sift(list, text) {
    const wanted = text.trim().toLowerCase();
    for (const row of list.children) row.style.display = row.sought.includes(wanted) ? "" : "none";
  }

  value(list, facet, value, most) {
    const row = element("label", "value" + (value.count ? "" : " none"), list);
    row.sought = value.name.toLowerCase();
    row.title = value.name;
    const box = element("input", "", row);
    box.type = "checkbox";
    box.checked = value.on;
    box.dataset.id = `value:${facet.column}:${value.value === null ? "" : "=" + value.value}`;
    element("span", "name", row, value.name);
    element("span", "count", row, spoken(value.count));
    element("span", "share", row).style.width = `${100 * value.count / most}%`;
    box.addEventListener("change", () => this.act({
      kind: "values", column: facet.column,
      values: facet.values.filter(v => v === value ? box.checked : v.on).map(v => v.value),
    }));
  }

  range(range) {
    const edges = range.edges, n = edges.length - 1, least = edges[0], most = edges[n];
    const box = element("div", "range", this.el);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", range.title);
    const head = element("div", "head", box);
    element("span", "", head, range.title);
    const used = range.low != null || range.high != null;
    const undo = element("button", "plain", head, used ? "Clear" : "Hide");
    undo.dataset.id = "undo:" + range.column;
    undo.setAttribute("aria-label", `${used ? "Clear" : "Hide"} ${range.title}`);
    undo.addEventListener("click", () => this.act(used
      ? { kind: "range", column: range.column, low: null, high: null } : { kind: "hide", column: range.column }));
    const shades = this.bars(box, range);
    // The bins at the ends are wider than they are drawn: places go by bins, not by values.
    const at = value => {
      if (value <= least) return 0;
      if (value >= most) return 1;
      const i = edges.findIndex(edge => edge > value) - 1;
      return (i + (value - edges[i]) / (edges[i + 1] - edges[i])) / n;
    };
    const valueAt = share => {
      const i = Math.min(n - 1, Math.floor(share * n));
      return edges[i] + (share * n - i) * (edges[i + 1] - edges[i]);
    };
    const slide = element("div", "slide", box), typed = element("div", "typed", box);
    const now = { low: range.low, high: range.high };
    const ends = {};
    const tell = () => {
      const low = now.low ?? least, high = now.high ?? most;
      ends.low.text.value = short(low);
      ends.high.text.value = short(high);
      shades(Math.max(0, Math.min(1, at(low))), Math.max(0, Math.min(1, at(high))));
    };
    const send = () => this.act({ kind: "range", column: range.column, low: now.low, high: now.high });
    for (const end of ["low", "high"]) {
      if (end === "high") element("span", "", typed, "to");
      ends[end] = { slider: element("input", "", slide), text: element("input", "", typed) };
      const { slider, text } = ends[end];
      slider.type = "range"; slider.min = 0; slider.max = STEPS; slider.step = 1;
      slider.value = Math.round(STEPS * at(now[end] ?? (end === "low" ? least : most)));
      slider.dataset.id = `${end}:${range.column}`;
      const name = `${range.title}, ${end === "low" ? "least" : "most"}`;
      slider.setAttribute("aria-label", name);
      slider.addEventListener("input", () => {
        const other = Number(ends[end === "low" ? "high" : "low"].slider.value);
        if (end === "low" ? slider.value > other : slider.value < other) slider.value = other;
        const share = slider.value / STEPS;
        slider.setAttribute("aria-valuetext", short(valueAt(share)));
        const outer = end === "low" ? share <= 0 : share >= 1;
        now[end] = outer ? null : Number(short(valueAt(share)));
        tell();
      });
      slider.addEventListener("change", send);
      text.type = "text"; text.inputMode = "decimal";
      text.dataset.id = `typed-${end}:${range.column}`;
      text.setAttribute("aria-label", name + ", typed");
      text.addEventListener("change", () => {
        const typedValue = text.value.trim() === "" ? null : Number(text.value.replaceAll(",", ""));
        if (Number.isNaN(typedValue)) { tell(); return; }
        now[end] = typedValue;
        send();
      });
    }
    tell();
  }

  // Bars of all samples behind, those of the filtered ones before them, each to its own scale.
  bars(parent, range) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${range.all.length} 40`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const rect = (className, x, width, height) => {
      const made = document.createElementNS(SVG, "rect");
      made.setAttribute("class", className);
      made.setAttribute("x", x); made.setAttribute("width", width);
      made.setAttribute("y", 40 - height); made.setAttribute("height", height);
      svg.append(made);
      return made;
    };
    for (const kind of ["all", "now"]) {
      const most = Math.max(1, ...range[kind]);
      range[kind].forEach((n, i) => n && rect(kind, i + 0.06, 0.88, Math.max(1, 40 * Math.sqrt(n / most))));
    }
    const left = rect("out", 0, 0, 40), right = rect("out", 0, 0, 40);
    parent.append(svg);
    return (low, high) => {
      left.setAttribute("width", low * range.all.length);
      right.setAttribute("x", high * range.all.length);
      right.setAttribute("width", (1 - high) * range.all.length);
    };
  }

  moreRanges(more) {
    if (!more.length) return;
    const box = element("div", "range", this.el);
    const select = element("select", "", box);
    select.dataset.id = "more";
    select.setAttribute("aria-label", "Add a range");
    element("option", "", select, "Add a range …").value = "";
    for (const [column, title] of more) element("option", "", select, title).value = column;
    select.addEventListener("change", () => select.value && this.act({ kind: "show", column: select.value }));
  }
}

export default function (component) {
  const root = component.parentElement;
  if (!panels.has(root)) panels.set(root, new Panel(root));
  panels.get(root).update(component);
  return () => { panels.get(root)?.el.remove(); panels.get(root)?.leave.remove(); panels.delete(root); };
}
