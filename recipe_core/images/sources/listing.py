"""Which files lie below a folder, and which of them are pictures?

A file takes part if its extension is one that Pillow (or its HEIF plugin) reads pictures from.
A file with an unknown extension, or none, takes part if it begins with a picture's magic bytes:
only those are opened. Everything else is listed beside the pictures and is never fatal.
"""

from __future__ import annotations

import heapq
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from recipe_core.images.sources.source import notes_of
from recipe_core.kernel.errors import SourceError
from recipe_core.kernel.nouns import Note
from recipe_core.kernel.progress import Progress

PICTURE_EXTENSIONS = frozenset(
    b"""
    apng avif avifs blp bmp bw cur dcx dds dib emf eps fit fits flc fli ftc ftu gbr gif
    heic heics heif heifs hif icb icns ico im j2c j2k jfif jp2 jpc jpe jpeg jpf jpg jpx mpo
    msp palm pbm pcd pcx pfm pgm png pnm ppm ps psd pxr qoi ras rgb rgba sgi tga tif tiff
    vda vst webp wmf xbm xpm
    """.split()
)
"""What Pillow 13 and pillow-heif register, without pdf, mpg, mpeg, h5, hdf, grib, bufr and iim: no
decoder gets a picture out of those, and a labels.h5 beside the pictures is no broken picture."""

OTHER_EXTENSIONS = frozenset(
    b"""
    txt xml json jsonl csv tsv md rst html htm css js py pyc ipynb yaml yml toml ini cfg
    log pdf doc docx xls xlsx ppt pptx zip gz tgz bz2 xz 7z rar tar npy npz pt pth pkl
    pickle h5 hdf5 hdf mat parquet arrow feather lmdb mdb db sqlite record tfrecord onnx
    safetensors mp4 mpg mpeg avi mov mkv webm mp3 wav sh bat exe dll so lock names data
    weights cache sha256 md5 svg grib bufr iim tmp part crdownload
    """.split()
)
"""Known to be no pictures: not opened to find out."""

_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*|II\+\0\x08\0|MM\0\+"
    rb"|\0\0\0\x0cjP  |\xff\x4f\xff\x51|8BPS|qoif|DDS |P[1-7][\s#]|P[fF][\s]|icns|SIMPLE  ="
    rb"|....ftyp(?:avif|avis|heic|heix|hevc|mif1|msf1)"
    # BM alone is too little; a bitmap's header has one of these sizes
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    re.DOTALL,
)


@dataclass(frozen=True)
class Listing:
    """Names below the root as bytes, each list in byte order.

    pictures    files that take part
    others      files that do not
    empty       folders without any file or folder in them
    unreadable  folders that could not be opened
    repeated    links to folders that are read already (a loop, or a second name)
    broken      those of the pictures that are links to nothing
    hidden      folders left out because their name begins with a dot, or __MACOSX
    """

    pictures: list[bytes] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    empty: list[bytes] = field(default_factory=list)
    unreadable: list[bytes] = field(default_factory=list)
    repeated: list[bytes] = field(default_factory=list)
    broken: list[bytes] = field(default_factory=list)
    hidden: list[bytes] = field(default_factory=list)

    def notes(self) -> list[Note]:
        """What is worth telling about the folder itself."""
        return notes_of(
            ("other_files", "{n} files are no pictures and are left out", self.others),
            ("other_files", "{n} hidden folders are not looked into", self.hidden),
            ("empty_folder", "{n} folders are empty", self.empty),
            ("unreadable_folder", "{n} folders cannot be opened: what lies in them is not part of "
             "the data set; give read permission and scan again", self.unreadable),
            ("symlink_loop", "{n} links lead to folders that are read under another name (or to "
             "themselves): each folder is read once", self.repeated),
            ("missing_files", "{n} pictures are links to files that do not exist", self.broken),
        )  # fmt: skip


def list_folder(root: Path, progress: Progress, until_picture: bool = False) -> Listing:
    """Everything below `root`; links are followed, every real folder is read once.

    until_picture  no folder is read any more once a picture has been found

    Folders reached without a link come first, so that a link never takes a real folder's place.
    Raises SourceError where the root itself cannot be opened.
    """
    found = Listing()
    seen: set[tuple[int, int]] = set()
    links = _walk(root, b"", found, seen, progress, until_picture)
    heapq.heapify(links)
    while links and not (until_picture and found.pictures):
        for link in _walk(root, heapq.heappop(links), found, seen, progress, until_picture):
            heapq.heappush(links, link)
    for names in (found.pictures, found.others, found.empty, found.unreadable, found.repeated,
                  found.broken, found.hidden):  # fmt: skip
        names.sort()
    return found


def is_picture_name(name: bytes) -> bool:
    """Whether the extension is one of a picture's, and the file no system's leftover."""
    return _extension(name) in PICTURE_EXTENSIONS and not name.startswith(b"._")


def _walk(
    root: Path, start: bytes, found: Listing, seen: set[tuple[int, int]], progress: Progress,
    until_picture: bool,
) -> list[bytes]:  # fmt: skip
    base = os.fsencode(root)
    todo, links = [start], []
    while todo and not (until_picture and found.pictures):
        folder = todo.pop()
        progress("listing files", len(found.pictures), 0)
        entries = _entries(os.path.join(base, folder), folder, found, seen)
        prefix = folder + b"/" if folder else b""
        for entry in entries:
            name = prefix + entry.name
            match _kind(entry):
                case "folder" if entry.name.startswith(b".") or entry.name == b"__MACOSX":
                    found.hidden.append(name)
                case "folder":
                    todo.append(name)
                case "folder link":
                    links.append(name)
                case kind:
                    _file(kind, name, entry, found)
    return links


def _entries(
    full: bytes, folder: bytes, found: Listing, seen: set[tuple[int, int]]
) -> list[os.DirEntry[bytes]]:
    try:
        at = os.stat(full)
        if (at.st_dev, at.st_ino) in seen:
            found.repeated.append(folder)
            return []
        seen.add((at.st_dev, at.st_ino))
        with os.scandir(full) as scan:
            entries = list(scan)
    except OSError as e:
        if not folder:
            raise SourceError(f"{full.decode('utf-8', 'backslashreplace')} cannot be opened: "
                              f"{e.strerror}.") from None  # fmt: skip
        found.unreadable.append(folder)
        return []
    if not entries:
        found.empty.append(folder)
    return entries


def _kind(entry: os.DirEntry[bytes]) -> str:
    """file, folder, folder link, broken link, loop (a link to itself), or device (a pipe …)."""
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_file(follow_symlinks=False):
            return "file"
        return _kind_of_link(entry.stat().st_mode) if entry.is_symlink() else "device"
    except FileNotFoundError:
        return "broken link"
    except OSError:
        return "loop"


def _kind_of_link(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder link"
    return "file" if stat.S_ISREG(mode) else "device"  # opening a pipe may hang


def _file(kind: str, name: bytes, entry: os.DirEntry[bytes], found: Listing) -> None:
    extension = _extension(entry.name)
    leftover = entry.name.startswith(b"._")
    if kind == "loop":
        found.repeated.append(name)
    elif kind == "device" or leftover:
        found.others.append(name)
    elif extension in PICTURE_EXTENSIONS:
        found.pictures.append(name)
        if kind == "broken link":
            found.broken.append(name)
    elif kind == "file" and extension not in OTHER_EXTENSIONS and _begins_like_a_picture(entry):
        found.pictures.append(name)
    else:
        found.others.append(name)


def _extension(name: bytes) -> bytes:
    stem, dot, extension = name.rpartition(b".")
    return extension.lower() if dot and stem else b""


def _begins_like_a_picture(entry: os.DirEntry[bytes]) -> bool:
    try:
        with open(entry.path, "rb") as f:  # noqa: PTH123
            return _MAGIC.match(f.read(32)) is not None
    except OSError:
        return False


def folders_in(folder: Path, most: int) -> list[Path]:
    """The folders, links to folders too, among up to `most` entries of a folder, sorted."""
    try:
        with os.scandir(folder) as scan:
            return sorted(Path(e.path) for e in islice(scan, most) if _is_folder(e))
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def peek(folder: Path, most: int, ending: str = "") -> Iterator[Path]:
    """Those of up to `most` entries of a folder whose names end so (lower or upper case), in no
    order; nothing where it cannot be opened."""
    try:
        with os.scandir(folder) as scan:
            for i, entry in enumerate(scan):
                if i >= most:
                    return
                if entry.name.lower().endswith(ending):
                    yield Path(entry.path)
    except OSError:
        return
