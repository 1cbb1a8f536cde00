"""How does everything look? One sheet over Streamlit's theme, in the report's own colours."""

from __future__ import annotations

from pathlib import Path

from recipe_core.kernel.nouns import VERDICTS
from recipe_core.reporting.palette import DARK, LIGHT

SHEET = Path(__file__).with_name("style.css")


def sheet(ground: str) -> str:
    """The style element: every colour once for a light and once for a dark ground.

    ground  `light` or `dark`, as the session's theme is now
    """
    pairs: dict[str, tuple[str, str]] = {
        "ink": (LIGHT.ink, DARK.ink), "faint": (LIGHT.faint, DARK.faint),
        "rule": (LIGHT.rule, DARK.rule), "panel": (LIGHT.panel, DARK.panel),
        "accent": (LIGHT.series[0], DARK.series[0]), "well": ("#e9ecef", "#24292e"),
        **{v: (LIGHT.verdict[v], DARK.verdict[v]) for v in VERDICTS},
    }  # fmt: skip
    # Streamlit sets color-scheme to that of its theme: light-dark() follows it without a rerun.
    tokens = "".join(f"--r-{name}: light-dark({a}, {b});" for name, (a, b) in pairs.items())
    verdicts = "".join(f".r-{v} {{ --v: var(--r-{v}); }}" for v in VERDICTS)
    # a dialog hangs outside the element that carries the theme's color-scheme
    dialog = f"[data-testid='stDialog'] {{ color-scheme: {ground}; }}"
    scope = f".stApp, [data-testid='stDialog'] {{ {tokens} --r-code: ui-monospace, monospace; }}"
    return f"<style>{scope}{dialog}{verdicts}{SHEET.read_text(encoding='utf-8')}</style>"
