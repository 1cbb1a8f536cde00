// Which texts on screen have less contrast with their ground than WCAG 2.2 AA asks for?
// Left out: what is disabled, hidden or an icon, and what Streamlit writes around a slider's thumb.
() => {
  const colour = text => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return text.startsWith("color(srgb") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const above = e => e.parentElement || e.getRootNode().host || null;
  const line = e => { const all = []; for (let n = e; n; n = above(n)) all.push(getComputedStyle(n)); return all; };
  const found = new Map();
  const walk = root => { for (const e of root.querySelectorAll("*")) {
    if (e.shadowRoot) walk(e.shadowRoot);
    const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join(" ").trim(), box = e.getBoundingClientRect();
    if (!text || !box.width || !box.height || e.matches("style, script, title, option") || e.closest("[disabled], [data-testid=stIconMaterial], [data-testid=stSlider] > div")) continue;
    const styles = line(e);
    if (styles[0].visibility === "hidden" || box.width < 2) continue;
    const ground = styles.map(s => colour(s.backgroundColor)).reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
    const ink = colour(styles[0].color), large = parseFloat(styles[0].fontSize) >= 24;
    ink[3] *= styles.reduce((share, s) => share * Number(s.opacity), 1);
    const [x, y] = [light(over(ink, ground)), light(ground)].sort((p, q) => q - p), ratio = (x + 0.05) / (y + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.set(text.slice(0, 40), ratio.toFixed(2));
  } };
  walk(document);
  return Object.fromEntries(found);
}
