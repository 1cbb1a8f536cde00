"""What would the check say with another threshold? Widgets made from its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping

import streamlit as st

from recipe_core.kernel.check import Check
from recipe_core.kernel.params import Setting, Value

NAMES = {"lr": "Learning rate"}
STEPS = 100
"""A slider has at least so many steps over its range; finer only where the default asks for it."""


def thresholds(check: Check, base: Mapping[str, Value]) -> dict[str, Value]:
    """Draw one widget per setting and give what they say; {} where nothing differs from `base`.

    base  what the last report used: where the sliders start and what "reset" returns to
    """
    kept: dict[str, dict[str, Value]] = st.session_state.setdefault("thresholds", {})
    start = {s.name: base.get(s.name, s.default) for s in check.settings}
    now = start | kept.get(check.id, {})
    chosen = {s.name: widget(check.id, s, now[s.name]) for s in check.settings}
    changed = chosen != start
    st.button(
        "Reset", key=f"reset:{check.id}", icon=":material/undo:", disabled=not changed,
        help="Back to the thresholds of the report.", on_click=_reset, args=(check.id, start),
    )  # fmt: skip
    if changed:
        kept[check.id] = chosen
        return chosen
    kept.pop(check.id, None)
    return {}


def _reset(check_id: str, start: Mapping[str, Value]) -> None:
    st.session_state["thresholds"].pop(check_id, None)
    for name, value in start.items():
        st.session_state[widget_key(check_id, name)] = value


def widget_key(check_id: str, name: str) -> str:
    """Under which the session keeps what the widget of a setting says."""
    return f"set:{check_id}:{name}"


def widget(check_id: str, setting: Setting, now: Value) -> Value:
    """The widget of one setting, as its type and range want it; keys begin with `check_id`."""
    key = widget_key(check_id, setting.name)
    label = NAMES.get(setting.name) or setting.name.replace("_", " ").capitalize()
    st.session_state.setdefault(key, now)
    if setting.choices:
        return str(st.selectbox(label, setting.choices, key=key, help=setting.why))
    if isinstance(setting.default, bool):
        return bool(st.toggle(label, key=key, help=setting.why))
    if isinstance(setting.default, str):
        return str(st.text_input(label, key=key, help=setting.why))
    if isinstance(setting.default, int):
        return _whole(label, key, setting)
    return _real(label, key, setting, float(now))


def _whole(label: str, key: str, s: Setting) -> int:
    low, high = _int(s.low), _int(s.high)
    if low is not None and high is not None and high - low <= 1000:
        return int(st.slider(label, low, high, step=1, key=key, help=s.why))
    return int(st.number_input(label, low, high, step=1, key=key, help=s.why))


def _real(label: str, key: str, s: Setting, now: float) -> float:
    step = slider_step(s.low, s.high, (float(s.default), now))
    if step is not None and s.low is not None and s.high is not None:
        return float(
            st.slider(label, float(s.low), float(s.high), step=step, format=decimals(step),
                      key=key, help=s.why)
        )  # fmt: skip
    fine = 10.0 ** (math.floor(math.log10(abs(now))) - 1) if now else 0.01
    return float(
        st.number_input(label, _float(s.low), _float(s.high), step=fine, format="%g",
                        key=key, help=s.why)
    )  # fmt: skip


def slider_step(low: float | None, high: float | None, marks: tuple[float, ...]) -> float | None:
    """The coarsest step 1, 2 or 5 × 10^k that gives STEPS over the range and meets every mark.

    None where there is no range, or where it would need more than 50 × STEPS (a range over
    several powers of ten): then a number is typed.
    """
    if low is None or high is None or not high > low:
        return None
    most = (high - low) / STEPS
    power = 10.0 ** math.floor(math.log10(most))
    steps = [f * power / 10**k for k in range(3) for f in (5, 2, 1) if f * power / 10**k <= most]
    for step in (10 * power if 10 * power <= most else 0, *steps):
        if step and all(_meets(mark - low, step) for mark in marks) and (high - low) / step <= 5000:
            return float(f"{step:.6g}")
    return None


def _meets(distance: float, step: float) -> bool:
    steps = distance / step
    return abs(steps - round(steps)) < 1e-6


def decimals(step: float) -> str:
    """A printf format that shows the step and no digit beyond it."""
    return f"%.{max(0, -math.floor(math.log10(step) + 1e-9))}f"


def _int(value: float | None) -> int | None:
    return None if value is None else int(value)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
