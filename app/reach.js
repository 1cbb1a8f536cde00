// How does the Tab key get into a component that stands in a dialog? The dialog keeps the focus among
// what it sees, and it sees no shadow's inside: it gets the host to stop at, which passes the focus on.
const TABBABLE = "button:not(:disabled), [tabindex='0'], input:not(:disabled), select, a[href]";
const reached = new WeakSet();

function reachable(root) {
  const host = root.getRootNode().host;
  if (!host?.closest("[role=dialog]") || reached.has(host)) return;
  reached.add(host);
  const inside = () => [...root.querySelectorAll(TABBABLE)].filter(e => e.getClientRects().length);
  host.tabIndex = 0;
  host.addEventListener("focus", () => { if (!host.shadowRoot.activeElement) inside()[0]?.focus(); });
  host.shadowRoot.addEventListener("keydown", event => {
    if (event.key !== "Tab") return;
    const all = inside(), next = all[all.indexOf(event.target) + (event.shiftKey ? -1 : 1)];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
  });
}
