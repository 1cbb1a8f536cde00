// Which pictures is a finding about? A few, in groups, each opens its details.
// Names from the data set reach textContent and attributes only, never markup.
const address = path => new URL(path, document.baseURI).href;
const baseName = path => path.slice(path.lastIndexOf("/") + 1) || path;

function element(tag, className, parent, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

function missing(frame, error) {
  frame.replaceChildren();
  element("span", "missing", frame, "no picture\n" + (error || "not decoded").replaceAll("_", " "));
}

function sampleButton(parent, sample, token, inspect) {
  const button = element("button", "sample", parent);
  button.type = "button";
  button.title = [sample.path, sample.detail].filter(Boolean).join("\n");
  const frame = element("span", "frame", button);
  if (sample.picture) {
    const img = document.createElement("img");
    img.loading = "lazy"; img.decoding = "async"; img.alt = "";
    img.addEventListener("error", () => missing(frame, sample.error));
    img.src = address(`api/thumbnail/${token}/${sample.row}`);
    frame.append(img);
  } else missing(frame, sample.error);
  element("span", "name", button, baseName(sample.path));
  element("span", "detail", button, sample.detail || sample.label);
  button.addEventListener("click", () => inspect(sample.row));
}

export default function ({ data, parentElement: root, setTriggerValue }) {
  root.querySelector(".strip")?.remove();
  const strip = element("div", "strip", root);
  strip.style.setProperty("--size", data.size + "px");
  const inspect = row => setTriggerValue("inspect", { row });
  for (const group of data.groups) {
    const box = element("div", data.grouped ? "group" : "loose", strip);
    for (const sample of group) sampleButton(box, sample, data.token, inspect);
  }
  reachable(root);
  return () => strip.remove();
}
