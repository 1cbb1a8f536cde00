// What is this? One picture, one key, the next picture; answers follow to the server behind.
// Names from the data set reach textContent and attributes only, never markup.
const AHEAD = 4;                    // pictures fetched before they are asked for
const WAITS = [500, 1000, 2000, 5000];
const drawn = new WeakMap();
const address = path => new URL(path, document.baseURI).href;

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text != null) made.textContent = text;
  parent?.append(made);
  return made;
}

const unique = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), b => b.toString(16).padStart(2, "0")).join("");

class Labeller {
  constructor(root) {
    this.el = element("div", "labeller", root);
    this.el.tabIndex = -1;
    this.pressed = event => this.key(event);
    // before Streamlit's own keys (r runs the page again, c opens a dialog) see it
    window.addEventListener("keydown", this.pressed, true);
    this.unsent = [];
    this.leaving = event => { if (this.unsent.length) event.preventDefault(); };
    window.addEventListener("beforeunload", this.leaving);
  }

  update({ data, setTriggerValue }) {
    this.done = () => setTriggerValue("done", unique());
    if (this.address === data.address) return;
    this.address = data.address;
    this.data = data;
    this.answers = new Map(data.answered);
    this.trail = data.answered.map(([place]) => place);
    this.images = new Map();
    this.draw();
    this.show(this.next());
  }

  draw() {
    this.el.replaceChildren();
    const head = element("div", "head", this.el);
    this.count = element("span", "count", head);
    this.count.setAttribute("role", "status");
    this.saved = element("span", "saved", head);
    const bar = element("div", "bar", this.el);
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", "Pictures answered");
    bar.setAttribute("aria-valuemin", 0);
    bar.setAttribute("aria-valuemax", this.data.rows.length);
    this.bar = bar;
    this.filled = element("i", "", bar);
    const both = element("div", "both", this.el);
    this.frame = element("div", "frame", both);
    const side = element("div", "side", both);
    if (!this.data.keys.length) this.search(side);
    this.list = element("div", "classes", side);
    this.list.setAttribute("role", "group");
    this.list.setAttribute("aria-label", "Classes");
    this.buttons = this.data.classes.map((name, code) => this.choice(name, this.data.keys[code], code));
    const foot = element("div", "foot", side);
    this.choice("Cannot tell", "space", -1, foot);
    const back = element("button", "class", foot);
    element("kbd", "", back, "backspace");
    element("span", "", back, "Take back");
    back.type = "button";
    back.addEventListener("click", () => this.undo());
    this.back = back;
  }

  choice(name, key, code, parent = this.list) {
    const made = element("button", "class", parent);
    made.type = "button";
    made.title = name;
    if (key) element("kbd", "", made, key);
    element("span", "", made, name);
    made.addEventListener("click", () => this.answer(code));
    return made;
  }

  search(side) {
    const input = element("input", "", side);
    input.type = "search";
    input.placeholder = `Type a class, Enter takes the first (${this.data.classes.length} classes)`;
    input.setAttribute("aria-label", "Find a class");
    input.addEventListener("input", () => this.sift());
    this.input = input;
    this.lower = this.data.classes.map(name => name.toLowerCase());
  }

  // Names that begin with what was typed come before those that hold it.
  sift() {
    const text = this.input.value.trim().toLowerCase();
    const rank = this.lower.map(name => !text || name.startsWith(text) ? 0 : name.includes(text) ? 1 : 2);
    this.order = rank.map((r, code) => [r, code]).filter(([r]) => r < 2).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, code]) => code);
    this.list.replaceChildren(...this.order.map(code => this.buttons[code]));
    this.at(0);
  }

  at(place) {
    this.place = Math.max(0, Math.min(place, (this.order?.length ?? 0) - 1));
    this.buttons.forEach(b => b.classList.remove("first"));
    const button = this.buttons[this.order?.[this.place]];
    button?.classList.add("first");
    button?.scrollIntoView({ block: "nearest" });
  }

  // -- answering ------------------------------------------------------------------------------

  key(event) {
    if (!this.el.isConnected || event.ctrlKey || event.metaKey || event.altKey || this.now == null && event.key !== "Backspace") return;
    const target = event.composedPath()[0], own = target === this.input;
    if (!own && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable)) return;
    if (document.querySelector('[role="dialog"]')) return;
    if (this.handled(event, own, target)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }

  handled(event, own, target) {
    const typed = own && this.input.value !== "";
    if (event.key === "Backspace") return typed ? false : (event.repeat || this.undo(), true);
    const onButton = target.tagName === "BUTTON" || target.tagName === "A" || target.tagName === "SUMMARY";
    if (event.key === " ") return typed || onButton ? false : (event.repeat || this.answer(-1), true);
    if (this.input) return this.found(event, onButton);
    const code = this.data.keys.indexOf(event.key.toLowerCase());
    if (code < 0) return false;
    if (!event.repeat) this.answer(code);
    return true;
  }

  found(event, onButton) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.at(this.place + (event.key === "ArrowDown" ? 1 : -1));
      return true;
    }
    if (event.key !== "Enter" || onButton) return false;
    if (this.input.value.trim() && this.order.length && !event.repeat) this.answer(this.order[this.place]);
    return true;
  }

  answer(code) {
    if (this.now == null) return;
    const place = this.now;
    this.answers.set(place, code);
    this.trail.push(place);
    this.post(place, code, (performance.now() - this.since) / 1000);
    this.show(this.next());
  }

  undo() {
    const place = this.trail.pop();
    if (place == null) return;
    this.answers.delete(place);
    this.post(place, null, 0);
    this.show(place);
  }

  next() {
    const left = this.data.rows.findIndex((row, i) => row >= 0 && !this.answers.has(i));
    return left < 0 ? null : left;
  }

  // -- pictures -------------------------------------------------------------------------------

  show(place) {
    this.now = place;
    this.frame.replaceChildren();
    const n = this.data.rows.filter(row => row >= 0).length;
    this.count.textContent = `${this.answers.size.toLocaleString("en")} of ${n.toLocaleString("en")} answered`;
    this.filled.style.width = `${100 * this.answers.size / n}%`;
    this.bar.setAttribute("aria-valuenow", this.answers.size);
    this.back.disabled = !this.trail.length;
    if (this.input) { this.input.value = ""; this.sift(); this.input.focus({ preventScroll: true }); }
    if (place == null) {
      element("p", "end", this.frame, "That was the last one.");
      this.finish();
      return;
    }
    const image = this.image(place);
    this.frame.append(image);
    // the clock runs from when there is something to see
    this.since = performance.now();
    if (!image.complete) image.addEventListener("load", () => { if (this.now === place) this.since = performance.now(); }, { once: true });
    this.ahead(place);
  }

  image(place) {
    if (!this.images.has(place)) {
      const image = new Image();
      image.alt = "The picture to name";
      image.decoding = "async";
      image.addEventListener("error", () => {
        const lost = element("p", "end", null, "This picture cannot be shown: its file may be gone. Press space to go on.");
        if (image.isConnected) image.replaceWith(lost);
        this.images.set(place, lost);
      });
      image.src = address(`api/shown/${this.data.token}/${this.data.rows[place]}/${this.data.size}`);
      this.images.set(place, image);
    }
    return this.images.get(place);
  }

  ahead(place) {
    const coming = [];
    for (let i = 0; i < this.data.rows.length && coming.length < AHEAD; i++)
      if (i !== place && this.data.rows[i] >= 0 && !this.answers.has(i)) coming.push(i);
    for (const i of coming) this.image(i).decode?.().catch(() => {});
    const kept = new Set([place, ...coming, ...this.trail.slice(-3)]);
    for (const i of this.images.keys()) if (!kept.has(i)) this.images.delete(i);
  }

  // -- storing --------------------------------------------------------------------------------

  post(place, code, seconds) {
    this.unsent.push({ row: this.data.rows[place], answer: code, seconds, id: unique() });
    this.say();
    if (!this.sending) this.send();
  }

  // One after the other, in order; what fails is tried again until it is stored.
  async send() {
    this.sending = true;
    for (let tries = 0; this.unsent.length;) {
      let status = 0;
      try {
        const answer = await fetch(address(this.address), {
          method: "POST", body: JSON.stringify(this.unsent[0]), keepalive: true,
          headers: { "Content-Type": "application/json" },
        });
        status = answer.status;
      } catch { /* no server: try again */ }
      if (status === 204) { this.unsent.shift(); tries = 0; this.say(); continue; }
      if (status === 410 || status === 400) { this.say(`Not stored (${status}): reload the page.`); break; }
      this.say(`${this.unsent.length} not stored yet, trying again`);
      await new Promise(done => setTimeout(done, WAITS[Math.min(tries++, WAITS.length - 1)]));
    }
    this.sending = false;
    this.finish();
  }

  say(text) {
    this.saved.textContent = text ?? (this.unsent.length ? "Storing …" : "Every answer is stored");
  }

  finish() {
    if (this.now == null && !this.unsent.length && !this.sending) this.done();
  }

  destroy() {
    window.removeEventListener("keydown", this.pressed, true);
    window.removeEventListener("beforeunload", this.leaving);
    this.el.remove();
  }
}

export default function (component) {
  const root = component.parentElement;
  if (!drawn.has(root)) drawn.set(root, new Labeller(root));
  drawn.get(root).update(component);
  return () => { drawn.get(root)?.destroy(); drawn.delete(root); };
}
