"""What can be ready before anybody asks? The first page's numbers, while a browser still loads.

The first visitor of a fresh server waits for the sample table to be read and its columns to be
counted, two to three seconds at a million samples; a browser takes about as long to start a page.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app import opened
from recipe_core.kernel.errors import RecipeError


@asynccontextmanager
async def warmed(_app: Any) -> AsyncIterator[None]:
    """Starts to warm up with the server, which answers meanwhile."""
    threading.Thread(target=warm, name="warming", daemon=True).start()
    yield


def warm() -> None:
    """Works out what Browse shows of all samples; nothing where nothing was scanned yet."""
    # whatever is wrong with the results, the pages say it to somebody who can read it
    with contextlib.suppress(RecipeError, OSError):
        if opened.has_results():
            _count()
            opened.sanity()
    # What is there now stays: without this every collection walks over the names and details of a
    # million samples, 0.1 s in which nobody is answered.
    gc.collect()
    gc.freeze()


def _count() -> None:
    # not before the server stands: the components of these modules are registered with it
    from app import comparing, filters, marks, panel, plots, sample  # noqa: F401
    from recipe_core.data.browse import Filter

    place = filters.browser()
    rows = place.rows()
    panel.facets(place, Filter())
    for column in panel.FIRST_RANGES:
        if column in place.numeric:
            panel.histogram(place, Filter(), column)
    marks.described(rows[:1])
    marks.pictures(rows[:1])
