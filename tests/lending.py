"""How does a fresh environment get 5 GB of torch in a second? Hard links to the one that tests run
in.

The installer still resolves the wheel's requirements and finds what was lent satisfied; everything
else it downloads and installs. That torch itself can be installed is shown by the environment that
runs these tests: `make test` made it by the same script.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, distributions
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEAVY = re.compile(r"torch|torchvision|triton|nvidia-.+|cuda-.+", re.IGNORECASE)


def lend_torch(venv: Path) -> int:
    """Links torch and the libraries that belong to it into `venv`; how many packages there were."""
    return _lend(venv, (d for d in distributions() if HEAVY.fullmatch(d.metadata["Name"])))


def lend_requirements(venv: Path, wheel: Path) -> int:
    """Links what an installer would bring with the wheel, and nothing else; how many there were.

    What the wheel needs and does not ask for is missing in `venv` as it would be elsewhere.
    """
    (package,) = distributions(path=[str(wheel)])
    waiting = list(_asked(package, frozenset()))
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        new = set(_asked(distribution(name), extras)) - seen
        seen |= new
        waiting += new
    return _lend(venv, map(distribution, {name for name, _ in seen}))


def _asked(package: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Name and extras of what the package asks for here."""
    for text in package.requires or ():
        asked = Requirement(text)
        if asked.marker is None or any(asked.marker.evaluate({"extra": e}) for e in {"", *extras}):
            yield canonicalize_name(asked.name), frozenset(asked.extras)


def _lend(venv: Path, lent: Iterable[Distribution]) -> int:
    site = next(venv.glob("lib/python3*/site-packages"))
    return len([_link(d, site) for d in lent])


def _link(distribution: Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue  # programs: their first line names the other environment
        there, here = Path(str(file.locate())), site / file
        _linked(there, here)
        if file.suffix == ".py" and (code := Path(cache_from_source(str(there)))).exists():
            _linked(code, Path(cache_from_source(str(here))))


def _linked(there: Path, here: Path) -> None:
    here.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(there, here)
    except FileExistsError:
        return
    except OSError:  # another file system
        shutil.copy2(there, here)
