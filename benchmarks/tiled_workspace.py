"""What would a data set of a million samples look like? A scanned one, again and again.

    python benchmarks/tiled_workspace.py SCANNED DEST N

SCANNED is a workspace (`recipe scan SOURCE -w SCANNED`), DEST the new one of N samples. Every
sample has a path and an id of its own; pictures, labels and findings are repeated, measures are
moved by up to 1 %. Thumbnails stay in one pack of the original's size, so what is read is warmer
than a million different ones would be; originals cannot be opened.
"""

from __future__ import annotations

import sys
from pathlib import Path

from browse_queries import repeated


def made(scanned: Path, place: Path, n: int) -> Path:
    """The workspace of n samples at `place`; one that is there already is taken as it is."""
    return place if (place / "current").exists() else repeated(scanned, place, n)


if __name__ == "__main__":
    made(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
