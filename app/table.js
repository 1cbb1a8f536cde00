// Which samples have both? A cell or a heading says; names reach textContent and attributes only.
const drawn = new WeakMap();

function element(tag, parent, text) {
  const made = document.createElement(tag);
  if (text != null) made.textContent = text;
  parent?.append(made);
  return made;
}

function draw(box, data, pick) {
  box.replaceChildren();
  box.className = "scroll";
  const table = element("table", box);
  table.setAttribute("aria-label", data.title);
  const button = (cell, text, name, row, column, off) => {
    const made = element("button", cell, text);
    made.type = "button";
    made.title = name;
    made.setAttribute("aria-label", name);
    made.disabled = Boolean(off);
    made.addEventListener("click", () => pick({ row, column }));
  };
  const head = element("tr", element("thead", table));
  element("td", head);
  data.across.forEach((name, j) => {
    const cell = element("th", head);
    cell.scope = "col";
    button(cell, name, name, null, j);
  });
  const body = element("tbody", table);
  const most = Math.max(1, ...data.counts.flat());
  data.down.forEach((name, i) => {
    const line = element("tr", body), heading = element("th", line);
    heading.scope = "row";
    button(heading, name, name, i, null);
    data.across.forEach((other, j) => {
      const n = data.counts[i][j], cell = element("td", line);
      cell.style.setProperty("--share", n / most);
      button(cell, n.toLocaleString("en"), `${name}, ${other}: ${n.toLocaleString("en")}`, i, j, n === 0);
    });
  });
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  if (!drawn.has(root)) drawn.set(root, { box: element("div", root), text: "" });
  const here = drawn.get(root), text = JSON.stringify(data);
  here.pick = value => setTriggerValue("pick", value);
  if (here.text !== text) draw(here.box, data, value => here.pick(value));
  here.text = text;
  return () => { here.box.remove(); drawn.delete(root); };
}
