"""Which pages are there? The recipe's stages as sections; only pages that work are listed."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if sys.path[0] != str(ROOT):
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from app import opened, words  # noqa: E402
from app.style import sheet  # noqa: E402
from recipe_core.kernel.errors import RecipeError  # noqa: E402
from recipe_core.reporting.wording import counted, escaped, shortened  # noqa: E402

PAGES = ROOT / "pages"
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Draw what every page shares, then the page."""
    st.set_page_config(
        page_title="Recipe",
        page_icon=str(HERE / "favicon.svg"),
        layout="wide",
        initial_sidebar_state=264,
    )
    st.html(sheet("dark" if st.context.theme.type == "dark" else "light"))
    st.logo(str(HERE / "logo.svg"), size="large", icon_image=str(HERE / "favicon.svg"))
    page = st.navigation({
        "": [st.Page(PAGES / "overview.py", title="Overview", icon=":material/checklist:",
                     default=True, url_path="overview")],
        "1 · Data": [
            st.Page(PAGES / "browse.py", title="Browse", icon=":material/grid_view:",
                    url_path="browse"),
            st.Page(PAGES / "findings.py", title="Data findings", icon=":material/fact_check:",
                    url_path="findings"),
            st.Page(PAGES / "label_noise.py", title="Label noise", icon=":material/label_off:",
                    url_path="label-noise"),
        ],
        "2 · Skeleton": [
            st.Page(PAGES / "skeleton.py", title="Pipeline checks",
                    icon=":material/rule_settings:", url_path="skeleton"),
            st.Page(PAGES / "human_baseline.py", title="Human baseline",
                    icon=":material/person_search:", url_path="human_baseline"),
        ],
        "3 · Overfit": [
            st.Page(PAGES / "overfit.py", title="Overfit", icon=":material/fitness_center:",
                    url_path="overfit"),
            st.Page(PAGES / "compare.py", title="One change at a time",
                    icon=":material/balance:", url_path="compare"),
        ],
        "Training": [
            st.Page(PAGES / "runs.py", title="Runs", icon=":material/monitoring:", url_path="runs"),
        ],
        "To hand on": [
            st.Page(PAGES / "report.py", title="Report", icon=":material/description:",
                    url_path="report"),
            st.Page(PAGES / "export.py", title="Export", icon=":material/drive_file_move:",
                    url_path="export"),
        ],
    })  # fmt: skip
    try:
        _which_data()
        page.run()
    except RecipeError as e:
        words.problem(e)


def _which_data() -> None:
    """The open data set, at the foot of the navigation."""
    if not opened.has_results():
        return
    data = opened.evidence().dataset
    name = escaped(shortened(data.name, 60))
    with st.sidebar:
        words.html(
            f'<div class="r-side" title="{escaped(data.root)}"><b>{name}</b>'
            f'<span class="r-faint">{counted(len(opened.evidence()), "sample")}</span></div>'
        )


main()
