"""How does everything look? One sheet over Streamlit's theme, in the report's own colours."""

from __future__ import annotations

from recipe_core.kernel.nouns import VERDICTS
from recipe_core.reporting.palette import DARK, LIGHT

SHEET = """
.block-container { padding-top: 3.2rem; padding-bottom: 4rem; max-width: 1280px; }
.r { overflow-wrap: anywhere; }
.r-faint { color: var(--r-faint); }
.r-lead { font-size: 1.05rem; line-height: 1.55; margin: 0; max-width: 72ch; }
.r-mono { font-family: var(--r-code); font-size: .86em; }
.r-row { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: baseline; }
.r-title { font-size: 1.9rem; font-weight: 650; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
.r-section { font-size: 1.2rem; font-weight: 620; margin: 1.1rem 0 .1rem; }
.r-question { font-size: 1.15rem; font-weight: 620; line-height: 1.35; margin: .45rem 0 .3rem; }
.r-saw { margin: 0; max-width: 80ch; line-height: 1.55; }
.r-next { margin: .35rem 0 0; max-width: 80ch; line-height: 1.55; }
.r-next b { font-weight: 600; }
.r-verdict {
  display: inline-flex; align-items: center; gap: .4em; font-size: .82rem; font-weight: 600;
  line-height: 1; padding: .32em .6em .32em .45em; border-radius: 4px; color: var(--v);
  background: color-mix(in srgb, var(--v) 11%, transparent); white-space: nowrap;
}
.r-sign { font-weight: 700; width: 1em; text-align: center; }
.r-check { font-size: .82rem; color: var(--r-faint); }
.r-tally { display: flex; flex-wrap: wrap; gap: .5rem; margin: .9rem 0 0; }
.r-bar { height: .45rem; border-radius: 4px; background: var(--r-rule); overflow: hidden; margin: .2rem 0 .5rem; }
.r-bar i { display: block; height: 100%; background: var(--r-accent); border-radius: 4px; }
.r-stages { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 1rem; align-items: start; }
.r-stage { border: 1px solid var(--r-rule); border-radius: 6px; padding: .8rem .95rem; }
.r-stage h4 { margin: 0 0 .1rem; padding: 0; font-size: .98rem; font-weight: 620; }
.r-stage p { margin: 0 0 .45rem; font-size: .85rem; color: var(--r-faint); line-height: 1.4; }
.r-stage ul { list-style: none; margin: 0; padding: 0; }
.r-stage li { display: flex; gap: .55em; font-size: .9rem; line-height: 1.4; padding: .14rem 0; margin: 0; align-items: baseline; }
.r-stage li .r-sign { color: var(--v); flex: none; }
.r-stage li .r-state { color: var(--v); font-size: .82rem; white-space: nowrap; }
.r-stage li span:nth-child(2) { flex: 1; }
.r-todo { color: var(--r-faint); }
.r-skipped { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .35rem 1.2rem; font-size: .92rem; }
.r-numbers { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.r-numbers td { border: 0; padding: .16rem 1.4rem .16rem 0; vertical-align: top; }
.r-numbers td:first-child { color: var(--r-faint); }
.r-picture { width: 100%; max-height: 66vh; object-fit: contain; border-radius: 6px; display: block; background: var(--r-well); }
.r-nopicture {
  display: grid; place-content: center; text-align: center; min-height: 240px; border-radius: 6px; padding: 1rem;
  color: var(--r-faint); background: repeating-linear-gradient(45deg, transparent 0 9px, var(--r-rule) 9px 10px);
}
.r-nopicture b { color: var(--r-ink); }
.r-side { font-size: .88rem; line-height: 1.45; border-top: 1px solid var(--r-rule); padding-top: .8rem; margin-top: .4rem; }
.r-side b { font-weight: 600; display: block; }
.r-changed { font-size: .9rem; padding: .5rem .7rem; border-left: 3px solid var(--r-accent); background: var(--r-panel); border-radius: 0 4px 4px 0; }
.r-problem { padding: .7rem .9rem; border-left: 3px solid var(--r-fail); background: color-mix(in srgb, var(--r-fail) 8%, transparent); border-radius: 0 4px 4px 0; white-space: pre-wrap; }
@media print { [data-testid="stSidebar"], [data-testid="stHeader"] { display: none; } }
"""


def sheet() -> str:
    """The style element: every colour once for a light and once for a dark ground."""
    pairs = {
        "ink": (LIGHT.ink, DARK.ink), "faint": (LIGHT.faint, DARK.faint),
        "rule": (LIGHT.rule, DARK.rule), "panel": (LIGHT.panel, DARK.panel),
        "accent": (LIGHT.series[0], DARK.series[0]), "well": ("#e9ecef", "#24292e"),
        **{v: (LIGHT.verdict[v], DARK.verdict[v]) for v in VERDICTS},
    }  # fmt: skip
    # Streamlit sets color-scheme to that of its theme: light-dark() follows it without a rerun.
    tokens = "".join(f"--r-{name}: light-dark({a}, {b});" for name, (a, b) in pairs.items())
    verdicts = "".join(f".r-{v} {{ --v: var(--r-{v}); }}" for v in VERDICTS)
    scope = f".stApp, [data-testid='stDialog'] {{ {tokens} --r-code: ui-monospace, monospace; }}"
    return f"<style>{scope}{verdicts}{SHEET}</style>"
