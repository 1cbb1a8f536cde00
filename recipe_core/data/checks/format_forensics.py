"""What is stored how, and what of it will surprise a training pipeline?

These files load, and still a net may see something else than a person does. torchvision's default
loader, for one, is `Image.open(path).convert("RGB")`: it does not turn a picture by its EXIF
orientation, clips 16 bits to white, drops transparency and so uncovers what lies underneath, keeps
the first frame of an animation and converts CMYK without its colour profile. Nothing raises. Decide
once what a pixel means, do it in one loading function, and use that for training and in production.

Only what changes the picture without a word is a warning. What any loader that ends in
`convert("RGB")` gets right (palettes, grey saved as RGB, unused alpha, several formats) is counted
and shown. Whether a format tells the label is the question of `shortcut`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe_core.data.properties import counted, is_grey, percent, readable
from recipe_core.kernel.check import Check
from recipe_core.kernel.errors import MissingInput
from recipe_core.kernel.evidence import Evidence
from recipe_core.kernel.nouns import NO_SUBJECTS, Chart, Finding, Subjects
from recipe_core.kernel.params import setting

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Params:
    tolerated: float = setting(
        0.0, low=0.0, high=1.0,
        why="share of pictures that a surprise may touch before it is a warning; each one is "
        "learnt or tested wrongly without a word, and the remedy is a line of code, so none",
    )  # fmt: skip
    max_grey_mix: float = setting(
        0.05, low=0.0, high=0.5,
        why="share of grey pictures among colour ones (or the reverse) up to which it is no more "
        "than a rare variation, as in any collection of photos; above, two kinds of pictures were "
        "put together, and results should be told for each",
    )  # fmt: skip
    loader_turns: bool = setting(
        False,
        why="whether your loader applies EXIF orientation (ImageOps.exif_transpose); "
        "torchvision's ImageFolder and Keras do not, OpenCV's imread does",
    )  # fmt: skip


EXTENSIONS: dict[str, frozenset[str]] = {
    extension: frozenset(formats.split())
    for extensions, formats in (
        # A phone's JPEG with a second picture behind it is an MPO to Pillow and a JPEG to all else.
        ("jpg jpeg jpe jfif jif pjpeg mpo", "JPEG MPO"),
        ("png apng", "PNG"),
        ("gif", "GIF"),
        ("bmp dib", "BMP DIB"),
        ("tif tiff", "TIFF"),
        ("webp", "WEBP"),
        ("heic heif heics heifs hif", "HEIF AVIF"),
        ("avif avifs", "AVIF HEIF"),
        ("jp2 j2k jpc jpf jpx j2c jpm", "JPEG2000"),
        ("pbm pgm ppm pnm pfm", "PPM"),
        ("tga icb vda vst", "TGA"),
        ("ico", "ICO"),
        ("pcx", "PCX"),
        ("psd", "PSD"),
        ("dds", "DDS"),
        ("qoi", "QOI"),
    )
    for extension in extensions.split()
}  # fmt: skip
"""extension -> Pillow's names of the formats that may be behind it. Others are not judged: what
lies behind .img or .dat is nobody's promise."""

SHOWN_TURNED = {
    2: "mirrored left to right",
    3: "upside down",
    4: "mirrored top to bottom",
    5: "mirrored and lying on its side",
    6: "lying on its side (turned 90° counter-clockwise)",
    7: "mirrored and lying on its side",
    8: "lying on its side (turned 90° clockwise)",
}
"""How a loader that ignores the EXIF orientation sees the picture."""
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Modes whose values convert("RGB") clips at 255."""
INK_MODES = frozenset({"CMYK", "YCCK"})
PALETTE_MODES = frozenset({"P", "PA", "1"})
PAGES = frozenset({"MPO"})
"""Formats whose further pictures (a second lens, a gain map) nobody means to train on."""


@dataclass(frozen=True)
class Trait:
    """Something about how pictures are stored.

    surprise  it changes the picture without a word: a warning; else information
    rows      the sample rows that have it
    words     "lying on their side by EXIF", after a count
    score     of each of its subjects: 0 worst … 1 fine
    remedy    what to write in the loader
    kinds     (k,) int64, which of `details` says what is the matter with each row
    """

    name: str
    surprise: bool
    rows: Rows
    words: str
    score: float
    remedy: str
    kinds: Rows
    details: Sequence[str]


def judge(evidence: Evidence, params: Params) -> Finding:
    known = _known(evidence)
    traits = [*surprises(evidence, known, params), *peculiarities(evidence, known, params)]
    n = int(known.sum())
    told = [t for t in traits if t.surprise and len(t.rows) > params.tolerated * n]
    table = storage(evidence, known)
    return Finding(
        "warn" if told else "pass", summary(told, traits, table, n), next_step(told),
        figures(evidence, traits, table, n), subjects(told), charts(traits, table),
    )  # fmt: skip


def surprises(evidence: Evidence, known: Flags, params: Params) -> list[Trait]:
    """What a plain loader gets wrong without a word."""
    return [
        wrong_extension(evidence, known),
        *([] if params.loader_turns else [exif_orientation(evidence, known)]),
        cmyk(evidence, known),
        deep(evidence, known),
        alpha_in_use(evidence, known),
        animated(evidence, known),
        grey_and_colour(evidence, known, params),
    ]


def peculiarities(evidence: Evidence, known: Flags, params: Params) -> list[Trait]:
    """What a loader that ends in convert("RGB") gets right: worth a count, no more."""
    modes = [
        _quiet("palette", _mode_flags(evidence, PALETTE_MODES) & known, "with a palette"),
        _quiet("alpha_unused", evidence.flags("has_alpha") & ~evidence.flags("alpha_used") & known,
               "with an alpha channel that is opaque"),
        _quiet("grey_saved_as_rgb", evidence.flags("grey_in_rgb") & known, "grey saved in colour"),
    ]  # fmt: skip
    bits = evidence.numbers("bits")
    reduced = (bits > 8) & known & ~_mode_flags(evidence, DEEP_MODES)
    modes.append(_quiet("reduced_to_8_bits", reduced, "with more than 8 bits that load as 8"))
    turned = exif_orientation(evidence, known)
    if params.loader_turns:
        modes.append(_quiet("exif_orientation", _mask(turned.rows, len(evidence)), turned.words))
    return modes


def wrong_extension(evidence: Evidence, known: Flags) -> Trait:
    """The name says another format than the content: decoders chosen by name fail on it."""
    extension, extensions = evidence.codes("extension")
    form, formats = evidence.codes("format")
    clash = np.zeros((len(extensions) + 1, len(formats) + 1), dtype=bool)
    for i, name in enumerate(extensions):
        allowed = EXTENSIONS.get(name)
        clash[i, :-1] = [bool(f) and allowed is not None and f not in allowed for f in formats]
    rows = _rows(clash[extension, form] & known)
    joint = extension[rows].astype(np.int64) * len(formats) + form[rows]
    pairs, kinds = np.unique(joint, return_inverse=True)
    return Trait(
        "wrong_extension", True, rows, "under the extension of another format", 0.7,
        "rename files to what they are, or never choose a decoder by name",
        kinds.astype(np.int64),
        [f"named .{extensions[pair // len(formats)]} but it is {formats[pair % len(formats)]}"
         for pair in pairs.tolist()],
    )  # fmt: skip


def exif_orientation(evidence: Evidence, known: Flags) -> Trait:
    """Pictures that EXIF says to turn before they are shown."""
    value = np.nan_to_num(evidence.numbers("orientation"), nan=1.0).astype(np.int64)
    rows = _rows((value >= 2) & (value <= 8) & known)
    return Trait(
        "exif_orientation", True, rows, "waiting to be turned by their EXIF orientation", 0.4,
        "call ImageOps.exif_transpose(image) right after Image.open (torchvision's default loader "
        "and Keras do not), and make sure that boxes were drawn on the same view",
        value[rows] - 2,
        [f"EXIF orientation {turn}: a loader that ignores it sees it {seen}"
         for turn, seen in SHOWN_TURNED.items()],
    )  # fmt: skip


def cmyk(evidence: Evidence, known: Flags) -> Trait:
    """Pictures in printing inks."""
    return _alike(
        "cmyk", _mode_flags(evidence, INK_MODES) & known, "stored as CMYK", score=0.4,
        remedy="convert CMYK once with ImageCms and the embedded profile",
        detail='stored as CMYK: convert("RGB") ignores its colour profile, and other decoders '
        "refuse it or invert its colours",
    )  # fmt: skip


def deep(evidence: Evidence, known: Flags) -> Trait:
    """Pictures whose values do not fit into 8 bits."""
    rows = _rows(_mode_flags(evidence, DEEP_MODES) & known)
    codes, modes = evidence.codes("mode")
    return Trait(
        "deep", True, rows, "with more than 8 bits", 0.2,
        "scale deep pictures to 0 … 1 as floats before any convert()", codes[rows].astype(np.int64),
        [f'more than 8 bits a channel (mode {mode}): convert("RGB") clips every value above 255 '
         "to white" for mode in modes],
    )  # fmt: skip


def alpha_in_use(evidence: Evidence, known: Flags) -> Trait:
    """Pictures with pixels that are not opaque."""
    return _alike(
        "alpha_in_use", evidence.flags("alpha_used") & known, "with transparent pixels", score=0.4,
        remedy="paste transparent pictures onto one background colour of your choice",
        detail='transparent in places: convert("RGB") uncovers whatever colour lies there',
    )  # fmt: skip


def animated(evidence: Evidence, known: Flags) -> Trait:
    """Pictures of several frames or pages."""
    frames = np.nan_to_num(evidence.numbers("n_frames"), nan=1.0)
    form, formats = evidence.codes("format")
    pages = np.array([*(f in PAGES for f in formats), False])
    rows = _rows((frames > 1) & ~pages[form] & known)
    numbers, kinds = np.unique(frames[rows].astype(np.int64), return_inverse=True)
    return Trait(
        "animated", True, rows, "of several frames", 0.5,
        "take the frames apart into samples of their own, in one split, or accept the first frame",
        kinds.astype(np.int64),
        [f"{number:,} frames or pages, of which a loader sees the first" for number in numbers],
    )  # fmt: skip


def grey_and_colour(evidence: Evidence, known: Flags, params: Params) -> Trait:
    """The rarer of the two where grey and colour pictures are mixed in earnest."""
    grey = is_grey(evidence)
    n, n_grey = int(known.sum()), int((grey & known).sum())
    rarer = grey if 2 * n_grey <= n else ~grey
    mixed = min(n_grey, n - n_grey) > params.max_grey_mix * n
    kind, others = ("grey", "colour") if 2 * n_grey <= n else ("in colour", "grey")
    return _alike(
        "grey_and_colour", rarer & known & mixed, f"{kind} among {others} ones", score=0.8,
        remedy='make all pictures one of the two, grey by convert("L"), or report both apart',
        detail=f"{kind}, where most pictures are {others}",
    )  # fmt: skip


def storage(evidence: Evidence, known: Flags) -> list[dict[str, Any]]:
    """format, mode and n of every combination, the most frequent first."""
    form, formats = evidence.codes("format")
    mode, modes = evidence.codes("mode")
    joint = (form[known].astype(np.int64) + 1) * (len(modes) + 1) + mode[known] + 1
    n = np.bincount(joint, minlength=(len(formats) + 1) * (len(modes) + 1))
    order = [int(i) for i in np.argsort(-n, kind="stable") if n[i]]
    return [
        {
            "format": ("unknown", *formats)[i // (len(modes) + 1)],
            "mode": ("unknown", *modes)[i % (len(modes) + 1)],
            "n": int(n[i]),
        }
        for i in order
    ]


def summary(told: Sequence[Trait], traits: Sequence[Trait], table: Sequence[dict[str, Any]],
            n: int) -> str:  # fmt: skip
    """One sentence."""
    stored = f"{percent(table[0]['n'] / n)} are {table[0]['format']} {table[0]['mode']}"
    if told:
        found = ", ".join(f"{len(t.rows):,} {t.words}" for t in told)
        return (
            f"Of {counted(n, 'picture')}, {found}: a plain loader reads them otherwise than a "
            f"person sees them, and says nothing; expected: none ({stored})."
        )
    quiet = [f"{len(t.rows):,} {t.words}" for t in traits if len(t.rows)]
    also = f"; to know: {', '.join(quiet)}" if quiet else ""
    return f"A plain loader reads all {counted(n, 'picture')} as they look ({stored}{also})."


def next_step(told: Sequence[Trait]) -> str:
    """The remedies, one a trait; empty where nothing needs doing."""
    if not told:
        return ""
    return "In your loading function: " + "; ".join(t.remedy for t in told) + "."


def figures(
    evidence: Evidence, traits: Sequence[Trait], table: list[dict[str, Any]], n: int
) -> dict[str, Any]:
    """n pictures; traits: name -> pictures; formats: rows of format, mode, n; jpeg_quality:
    n and its 5th, 50th and 95th percentile (1 … 100), None without a JPEG."""
    quality = evidence.numbers("jpeg_quality")
    quality = quality[np.isfinite(quality)]
    spread = None
    if len(quality):
        low, middle, high = (float(q) for q in np.percentile(quality, (5, 50, 95)))
        spread = {"n": len(quality), "p5": low, "median": middle, "p95": high}
    return {
        "n": n,
        "traits": {t.name: len(t.rows) for t in traits},
        "formats": table,
        "jpeg_quality": spread,
    }


def subjects(told: Sequence[Trait]) -> Subjects:
    """The pictures behind the warnings, each once, with all that is the matter and the remedy.

    Information has no subjects: nothing is wrong with those files.
    """
    if not told:
        return NO_SUBJECTS
    rows = np.unique(np.concatenate([t.rows for t in told]))
    # One number per row for what is the matter with it (0: nothing, else the kind + 1, for each
    # trait in turn): there are few different ones, and a text is made for each of those only.
    matter = np.zeros((len(told), len(rows)), dtype=np.int64)
    for own, trait in zip(matter, told, strict=True):
        own[np.searchsorted(rows, trait.rows)] = trait.kinds + 1
    joint = np.ravel_multi_index(tuple(matter), [len(t.details) + 1 for t in told])
    _, first, which = np.unique(joint, return_index=True, return_inverse=True)
    scores = [min(t.score for t, k in zip(told, matter[:, i], strict=True) if k) for i in first]
    texts = [
        " ".join(f"{t.details[k - 1]}; {t.remedy}." for t, k in zip(told, matter[:, i], strict=True)
                 if k)
        for i in first
    ]  # fmt: skip
    return Subjects(
        rows,
        np.array(scores, dtype=np.float32)[which],
        np.array(texts, dtype=object)[which].tolist(),
    )


def charts(traits: Sequence[Trait], table: Sequence[dict[str, Any]]) -> tuple[Chart, ...]:
    """Pictures per format, per mode, and per trait that any picture has."""
    found = [t for t in traits if len(t.rows)]
    per_trait = {t.name.replace("_", " "): len(t.rows) for t in found}
    drawn = [_bars("Formats", "format", table), _bars("Modes", "mode", table)]
    if per_trait:
        drawn.append(
            Chart("bar", "What to know about them", "trait", "pictures", list(per_trait),
                  {"pictures": list(per_trait.values())})
        )  # fmt: skip
    return tuple(drawn)


def _bars(title: str, column: str, table: Sequence[dict[str, Any]]) -> Chart:
    n: dict[str, int] = {}
    for row in table:
        n[row[column]] = n.get(row[column], 0) + row["n"]
    heights = {"pictures": list(n.values())}
    return Chart("bar", title, column, "pictures", list(n), heights, column=column)


def _known(evidence: Evidence) -> Flags:
    """(n,) bool: pictures that were decoded. Raises MissingInput where there is none."""
    codes, _ = evidence.codes("format")
    known = readable(evidence) & (codes >= 0)
    if not known.any():
        raise MissingInput("no picture could be read")
    return known


def _alike(name: str, flags: Flags, words: str, *, score: float, remedy: str, detail: str) -> Trait:
    """A surprise of which the same is to be said for every picture."""
    rows = _rows(flags)
    return Trait(name, True, rows, words, score, remedy, np.zeros_like(rows), (detail,))


def _quiet(name: str, flags: Flags, words: str) -> Trait:
    """A trait that is information only."""
    rows = _rows(flags)
    return Trait(name, False, rows, words, 1.0, "", np.zeros_like(rows), (words,))


def _mode_flags(evidence: Evidence, modes: frozenset[str]) -> Flags:
    codes, found = evidence.codes("mode")
    return np.asarray(np.array([*(m in modes for m in found), False])[codes], dtype=bool)


def _rows(flags: Flags) -> Rows:
    return np.flatnonzero(flags).astype(np.int64)


def _mask(rows: Rows, n: int) -> Flags:
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask


CHECK = Check(
    id="format_forensics",
    stage="data",
    question="Will the net see what you see?",
    why="EXIF turns, 16 bits, CMYK, transparency, animations: the file loads, nothing raises, and "
    "the tensor is not the picture that a person labelled.",
    params=Params,
    judge=judge,
    mended_by="These pictures are sound and would only need converting: turn them upright and save "
    "them as 8-bit RGB, or do that in the function that loads them. Leaving them out loses good "
    "data.",
)
