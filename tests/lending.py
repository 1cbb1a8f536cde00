"""How does a fresh environment get 5 GB of torch in a second? Hard links to the one that tests run
in.

The installer still resolves the wheel's requirements and finds torch satisfied; everything else it
downloads and installs. That torch itself can be installed is shown by the environment that runs
these tests: `make test` made it by the same script.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib.metadata import Distribution, distributions
from importlib.util import cache_from_source
from pathlib import Path

HEAVY = re.compile(r"torch|torchvision|triton|nvidia-.+|cuda-.+", re.IGNORECASE)


def lend_torch(venv: Path) -> int:
    """Links torch and the libraries that belong to it into `venv`; how many packages there were."""
    site = next(venv.glob("lib/python3*/site-packages"))
    lent = [d for d in distributions() if HEAVY.fullmatch(d.metadata["Name"])]
    for distribution in lent:
        _link(distribution, site)
    return len(lent)


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
