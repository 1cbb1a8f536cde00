"""How is this data set laid out? Ask every source, the most specific first.

Order: coco, voc, yolo, hf, manifest, folder. The first that recognises the path reads it, and the
data set says which one that was and why.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from recipe_core.images.sources import coco, folder, hf, manifest, voc, yolo
from recipe_core.images.sources.listing import list_folder
from recipe_core.images.sources.source import Source
from recipe_core.kernel.errors import SourceError, UnknownName
from recipe_core.kernel.nouns import Dataset, Note
from recipe_core.kernel.progress import Progress, silent

SOURCES: tuple[Source, ...] = (
    coco.SOURCE,
    voc.SOURCE,
    yolo.SOURCE,
    hf.SOURCE,
    manifest.SOURCE,
    folder.SOURCE,
)
FORMATS = ("auto", *(s.name for s in SOURCES))


def read_dataset(source: str | Path, format: str = "auto", progress: Progress = silent) -> Dataset:
    """The data set at `source`, a folder or a file (manifest, COCO JSON, YOLO yaml, Parquet).

    Raises UnknownName for a format that does not exist, SourceError where nothing can be read; the
    text says what was expected.
    """
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    path = Path(os.path.abspath(Path(source).expanduser()))  # noqa: PTH100  links stay as named
    if not path.exists():
        raise SourceError(
            f"{path} does not exist: give a folder, or a manifest, COCO or YOLO file."
        )
    chosen, why = detected(path) if format == "auto" else (_named(format), "it was asked for")
    found = chosen.read(path, progress)
    others = ", ".join(f for f in FORMATS if f not in ("auto", chosen.name))
    said = f"Read as {chosen.name}: {why}. Override with --format ({others})."
    return replace(found, notes=(Note("detection", said), *found.notes))


def detected(path: Path) -> tuple[Source, str]:
    """The first source that recognises the path, and why. Raises SourceError where none does."""
    for source in SOURCES:
        why = source.recognise(path)
        if why is not None:
            return source, why
    if path.is_dir():
        raise SourceError(folder.nothing_in(path, list_folder(path, silent)))
    if path.suffix.lower() in manifest.ENDINGS:
        manifest.columns_of(manifest.read_table(path).column_names, str(path))  # says what it lacks
    raise SourceError(
        f"{path} is no data set: expected a manifest ({', '.join(manifest.ENDINGS)}) with a column "
        "path, a COCO .json, a YOLO data.yaml, Parquet with an image column, or a folder."
    )


def _named(format: str) -> Source:
    return next(s for s in SOURCES if s.name == format)
