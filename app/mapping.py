"""Where do pictures that look alike stand together? The map beside the pictures, or how to get one.

What an embedding tells of every picture is made by a run (`recipe embed`): started here, watched,
stopped; it goes on when the tab is closed.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import newest_run, opened, plots, task_files, words
from recipe_core import pipeline
from recipe_core.data import clusters
from recipe_core.data.browse import Browser, Filter
from recipe_core.data.embedded import MAP_X, MAP_Y, NAME, summary_of
from recipe_core.data.flat_map import KINDS
from recipe_core.kernel.errors import RecipeError
from recipe_core.reporting.wording import counted, in_markdown

PROBLEM = "map-problem"
MILLISECONDS = 8
"""That a picture takes on two cores, described by patches and laid out by t-SNE."""
SPOKEN = {"tsne": "t-SNE: neighbours stay neighbours", "pca": "PCA: the two main directions"}


def map_(place: Browser, filter: Filter) -> None:
    """The map of all samples, those of the filter in colour; or what it takes to draw one."""
    if problem := st.session_state.pop(PROBLEM, None):
        words.problem(problem)
    run = newest_run.newest("embed")
    if run is not None and run.live:
        newest_run.watched(run, "map", PROBLEM)
        return
    if MAP_X not in place.numeric or MAP_Y not in place.numeric:
        newest_run.ended_badly(run)
        _introduction()
        return
    plots.on_map(place, filter, MAP_X, MAP_Y)
    st.caption(in_markdown(_about()))
    with st.expander("Draw it again", icon=":material/refresh:", type="compact"):
        newest_run.ended_badly(run)
        _form()


def _about() -> str:
    table = opened.evidence().tables.get(NAME)
    if table is None:
        return ("The data set has changed since the map was drawn: new pictures are not on it, and "
                "likeness goes by layout and colour. Draw it again.")  # fmt: skip
    about: dict[str, Any] = summary_of(table)
    exact = "exact" if about["exact"] else f"{about['recall']:.1%} of the true ones"
    return (f"{about['pictures']:,} pictures by {about['embedding']}. "
            f"{SPOKEN.get(about['map'], about['map'])}. Neighbours: {exact}. "
            "Only what lies close together means something, not the directions.")  # fmt: skip


def _introduction() -> None:
    words.html(
        '<p class="r-lead">A map on which pictures that show alike things stand together. Recipe '
        "describes every picture by patches of your own pictures, without any downloaded weights, "
        "or by a model of yours. Then <b>Most like it</b> goes by that description, every sample "
        "has a cluster and an outlier score to group, filter and sort by, and a box on the map "
        "selects.</p>"
    )
    _form()


def _form() -> None:
    n = len(opened.evidence())
    with st.container(border=True, key="map-form"):
        embedding = st.text_input(
            "Pictures described by", "patches", key="map-embedding", max_chars=4096,
            help="patches: learned on the data set itself. backbone:resnet50: torchvision's "
            "weights, from its cache or the network; backbone:resnet50:FILE.pth: from a file. "
            "task:my.py:best.pt: your own model; run:ID: the net of a run. Or the name of an "
            ".npy file with one row per sample.",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom"):
            how = st.selectbox("Map", KINDS, format_func=SPOKEN.__getitem__, key="map-kind",
                               width=260)  # fmt: skip
            k = st.number_input("Clusters", clusters.FEWEST, clusters.MOST, clusters.USUAL,
                                key="map-clusters", width=110)  # fmt: skip
            seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="map-seed", width=110)
        asked = (embedding or "patches", how, int(k), int(seed))
        st.button("Draw the map", type="primary", icon=":material/play_arrow:", key="map-start",
                  on_click=_start, args=asked)  # fmt: skip
        minutes = max(1, round(n * MILLISECONDS / 60_000))
        st.caption(f"About {minutes:,} min for {counted(n, 'picture')} on two processor cores.")


def _start(embedding: str, how: str, k: int, seed: int) -> None:
    try:
        described = task_files.vetted(task_files.started_in(), embedding)
        pipeline.start_embed(
            opened.workspace(), embedding=described, map=how, clusters=k, seed=seed
        )
    except RecipeError as e:
        st.session_state[PROBLEM] = str(e)
