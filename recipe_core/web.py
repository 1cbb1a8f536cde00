"""Where is the web app, and what does it open?

In a checkout `app/` and `pages/` lie beside this package; in a wheel they travel inside it, under
`_web/`, so that no foreign package called `app` can take their place.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
from pathlib import Path

from recipe_core import recipe
from recipe_core.kernel.errors import Misuse
from recipe_core.runs import scans

PACKAGE = Path(__file__).resolve().parent
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def home() -> Path:
    """The folder that holds `app/`, `pages/` and `sample_data/`."""
    inside = PACKAGE / "_web"
    return inside if inside.is_dir() else PACKAGE.parent


def sample_source() -> Path:
    """The sample data set."""
    return home() / "sample_data" / "digits"


def opened(source: str | None, workspace: Path | None) -> tuple[str, Path]:
    """What the app opens: (source or '', workspace).

    Without either, the workspace of the current folder where there is one, else the sample data,
    whose results live in the user's cache folder.
    """
    if source is None and workspace is None and not recipe.exists():
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return str(sample_source()), Path(cache) / "recipe" / "sample"
    if source is not None and not Path(source).exists():
        raise Misuse(f"There is no file or folder {source!r}.")
    place = workspace or recipe.default_workspace()
    return (str(Path(source).resolve()) if source else ""), place.resolve()


def serve(source: str | None, workspace: Path | None, *, host: str, port: int) -> int:
    """Starts the web server and does not return until it ends.

    A source without results is scanned by a process of its own while the page shows its progress.
    Raises Misuse for a source that does not exist and for a port that is taken.
    """
    where, place = opened(source, workspace)
    _refuse_taken_port(host, port)
    if where and not _has_results_of(place, where) and scans.watch(place).status != "running":
        scans.start(where, place)
    os.environ["RECIPE_SOURCE"], os.environ["RECIPE_WORKSPACE"] = where, str(place)
    if host not in LOCAL_HOSTS:
        print(
            f"Recipe listens on {host}: everybody who reaches this machine can see the pictures.",
            file=sys.stderr,
        )
    print(
        f"Recipe is open at http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}", flush=True
    )
    sys.path.insert(0, str(home()))
    importlib.import_module("app.main").run(host, port)
    return 0


def _has_results_of(place: Path, source: str) -> bool:
    if not recipe.exists(place):
        return False
    root = recipe.evidence(place).dataset.root
    return Path(source) == root or root in Path(source).parents


def _refuse_taken_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except OSError as e:
            raise Misuse(
                f"Cannot listen on {host}:{port} ({e.strerror}). Try --port {port + 1}."
            ) from None
