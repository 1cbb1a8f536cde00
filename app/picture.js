// What is on this picture? Wheel or + and - zoom where the pointer is, drag or arrows move.
// Names from the data set reach textContent and attributes only, never markup.
const NEAREST = 0.02, FARTHEST = 64;
const STEP = 60;
// The name space of SVG, as the browser itself has it.
const SVG = Object.assign(document.createElement("div"), { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;
const drawn = new WeakMap();
const address = path => new URL(path, document.baseURI).href;

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text != null) made.textContent = text;
  parent?.append(made);
  return made;
}

class Viewer {
  constructor(root) {
    this.el = element("div", "picture", root);
    this.sizes = new ResizeObserver(() => this.fitted ? this.fit() : this.place());
    this.boxes = true;
    this.amplified = 1;
  }

  update({ data }) {
    const text = JSON.stringify(data);
    if (text === this.text) return;
    this.text = text;
    this.data = data;
    this.build();
  }

  build() {
    this.sizes.disconnect();
    this.el.replaceChildren();
    const { pictures, mode, height } = this.data;
    const two = mode === "side";
    const panes = element("div", "panes" + (two ? " two" : ""), this.el);
    const layers = two ? pictures.map(p => [p]) : mode === "difference" ? [pictures] : [pictures.slice(0, 1)];
    this.panes = layers.map(layer => this.pane(panes, layer, height));
    this.tools(mode);
    for (const pane of this.panes) this.sizes.observe(pane.el);
    this.fit();
  }

  pane(parent, layer, height) {
    const el = element("div", "pane", parent);
    el.style.height = height + "px";
    el.tabIndex = 0;
    el.setAttribute("role", "img");
    const names = layer.map(p => p.name).join(" against ");
    el.setAttribute("aria-label", `${names}. Plus and minus zoom, arrows move, 0 fits.`);
    el.title = names;
    const stage = element("div", "stage", el);
    const pane = { el, stage, width: 0, height: 0, names: [] };
    layer.forEach((picture, k) => {
      const img = element("img", k ? "over" : "", stage);
      img.alt = ""; img.draggable = false; img.decoding = "async";
      img.addEventListener("load", () => {
        if (k === 0) { pane.width = img.naturalWidth; pane.height = img.naturalHeight; this.fit(); }
      });
      img.addEventListener("error", () => element("div", "failed", el, "This picture cannot be shown."));
      img.src = address(picture.address);
    });
    if (layer.length === 1) this.boxesOf(pane, layer[0].boxes);
    this.listen(el);
    return pane;
  }

  boxesOf(pane, boxes) {
    if (!boxes.length) return;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 1 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    pane.stage.append(svg);
    pane.svg = svg;
    for (const [x0, y0, x1, y1, label] of boxes) {
      for (const kind of ["edge", "line"]) {
        const rect = document.createElementNS(SVG, "rect");
        rect.setAttribute("class", kind);
        rect.setAttribute("x", x0); rect.setAttribute("y", y0);
        rect.setAttribute("width", Math.max(0, x1 - x0)); rect.setAttribute("height", Math.max(0, y1 - y0));
        svg.append(rect);
      }
      if (!label) continue;
      const name = element("div", "named", pane.stage, label);
      name.style.left = `${100 * x0}%`;
      name.style.bottom = `${100 * (1 - y0)}%`;
      pane.names.push(name);
    }
  }

  tools(mode) {
    const bar = element("div", "tools", this.el);
    const button = (text, label, act) => {
      const made = element("button", "", bar, text);
      made.type = "button";
      made.setAttribute("aria-label", label);
      made.addEventListener("click", () => act(made));
      return made;
    };
    button("−", "Zoom out", () => this.zoom(1 / 1.5));
    button("+", "Zoom in", () => this.zoom(1.5));
    button("Fit", "Fit the picture", () => this.fit());
    button("1 : 1", "One picture pixel per screen pixel", () => this.to(1));
    if (mode === "difference") {
      for (const times of [1, 4, 16]) {
        const made = button(`× ${times}`, `Differences ${times} times`, () => this.amplify(times));
        made.dataset.times = times;
      }
      this.amplify(this.amplified);
    } else if (this.panes.some(p => p.svg)) {
      const made = button("Boxes", "Show the boxes", () => this.showBoxes(!this.boxes, made));
      this.showBoxes(this.boxes, made);
    }
    this.scaled = element("span", "scale", bar);
  }

  amplify(times) {
    this.amplified = times;
    for (const { stage } of this.panes) stage.style.filter = times > 1 ? `brightness(${times})` : "";
    for (const made of this.el.querySelectorAll("[data-times]"))
      made.setAttribute("aria-pressed", String(Number(made.dataset.times) === times));
  }

  showBoxes(on, button) {
    this.boxes = on;
    button.setAttribute("aria-pressed", String(on));
    for (const pane of this.panes)
      for (const part of [pane.svg, ...pane.names]) if (part) part.style.display = on ? "" : "none";
  }

  listen(el) {
    el.addEventListener("wheel", event => {
      if (!event.deltaY) return;
      event.preventDefault();
      const box = el.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    el.addEventListener("pointerdown", event => { el.setPointerCapture(event.pointerId); });
    el.addEventListener("pointermove", event => {
      if (el.hasPointerCapture(event.pointerId)) this.move(event.movementX, event.movementY);
    });
    el.addEventListener("dblclick", () => this.fitted ? this.to(1) : this.fit());
    el.addEventListener("keydown", event => this.pressed(event));
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key in moves && !this.fitted) this.move(...moves[event.key]);
    else return;                     // while the picture fits, arrows go to the page: next, previous
    event.preventDefault();
    event.stopPropagation();
  }

  fitScale() {
    const { el, width, height } = this.panes[0];
    return width && height ? Math.min(el.clientWidth / width, el.clientHeight / height, 4) : 0;
  }

  fit() {
    this.fitted = true;
    this.scale = this.fitScale();
    const { el, width, height } = this.panes[0];
    this.x = (el.clientWidth - width * this.scale) / 2;
    this.y = (el.clientHeight - height * this.scale) / 2;
    this.place();
  }

  to(scale) { this.zoom(scale / this.scale); }

  zoom(factor, x = this.panes[0].el.clientWidth / 2, y = this.panes[0].el.clientHeight / 2) {
    if (!this.scale) return;
    const scale = Math.min(FARTHEST, Math.max(NEAREST, this.scale * factor)), by = scale / this.scale;
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.scale = scale;
    this.fitted = false;
    this.place();
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.place();
  }

  // The other picture takes the first one's size: they are compared part by part.
  place() {
    const { width, height } = this.panes[0];
    for (const { stage } of this.panes) {
      stage.style.width = width * this.scale + "px";
      stage.style.height = height * this.scale + "px";
      stage.style.transform = `translate(${this.x}px,${this.y}px)`;
      stage.classList.toggle("near", this.scale >= 3);
    }
    if (this.scaled) this.scaled.textContent = width ? `${width} × ${height} px, ${Math.round(100 * this.scale)} %` : "";
  }

  destroy() { this.sizes.disconnect(); this.el.remove(); }
}

export default function (component) {
  const root = component.parentElement;
  if (!drawn.has(root)) drawn.set(root, new Viewer(root));
  drawn.get(root).update(component);
  reachable(root);
  return () => { drawn.get(root)?.destroy(); drawn.delete(root); };
}
