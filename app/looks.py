"""How are the samples shown? Size, grouping, what stands beside them: kept, and in the address.

A widget's own state goes when it is not drawn, say on another page. These outlive the page, and the
address tells those that differ from what is usual, so that a reload or a link brings them back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

USUAL: Mapping[str, str] = {
    "size": "128", "beside": "nothing", "group": "", "clusters": "20", "boxes": "false",
    "whole": "true", "across": "", "up": "", "paint": "", "hue": "label",
    "these": "", "against": "",
}  # fmt: skip
"""Every look and what it is where nobody chose; '' is the first of what can be chosen."""


def kept(name: str, allowed: Sequence[str]) -> str:
    """What was chosen last, or is usual, or comes first: the value of the widget called `name`."""
    wanted = st.session_state.get(f"browse-{name}", USUAL[name])
    usual = USUAL[name] if USUAL[name] in allowed else allowed[0]
    return wanted if wanted in allowed else usual


def choice(name: str, allowed: Sequence[str]) -> Callable[[], None]:
    """Sets the widget called `name` to what is kept; the function that keeps what it becomes."""
    st.session_state[name] = kept(name, allowed)
    return lambda: keep(name, st.session_state[name])


def switch(name: str) -> Callable[[], None]:
    """`choice` of a widget that is on or off."""
    st.session_state[name] = kept(name, ("true", "false")) == "true"
    return lambda: keep(name, "true" if st.session_state[name] else "false")


def number(name: str, allowed: range) -> Callable[[], None]:
    """`choice` of a widget that is a whole number."""
    st.session_state[name] = int(kept(name, [str(n) for n in allowed]))
    return lambda: keep(name, str(st.session_state[name]))


def keep(name: str, value: object) -> None:
    """Remember what was chosen."""
    st.session_state[f"browse-{name}"] = "" if value is None else str(value)


def follow(params: Mapping[str, Sequence[str]]) -> None:
    """Take the looks that an address names; the others stay as they were chosen."""
    for name in USUAL:
        if values := params.get(name):
            keep(name, values[0])


def address(shown: Sequence[str]) -> dict[str, str]:
    """The looks among `shown` that are not as usual, for the address."""
    found = {name: st.session_state.get(f"browse-{name}", USUAL[name]) for name in shown}
    return {name: value for name, value in found.items() if value and value != USUAL[name]}
