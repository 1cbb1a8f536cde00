"""What can a browser fetch beside Streamlit's own pages?

    /api/window/KEY?start=N        names, marks and thumbnails of rows N … N + 127 of a view
    /api/thumbnail/TOKEN/ROW       one thumbnail (JPEG)
    /api/original/TOKEN/ROW        the sample's own bytes, where a browser can show them safely
    /api/report/TOKEN              the HTML report, shut off from the app
    /api/shown/TOKEN/ROW/SIZE      the picture as a person labels it: SIZE pixels a side as the net
                                   sees it, 0 as it is; no name, no label
    /api/answer/N/PASS/KEY         POST: what a person called a picture

KEY and TOKEN cannot be guessed and end with the results they were made from. No path from a
browser reaches the file system: a picture is named by its row number alone.
"""

from __future__ import annotations

import hmac
import io
import json
import struct
from dataclasses import dataclass

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app import answering, marks, opened
from app.views import VIEWS
from recipe_core import pipeline, recipe
from recipe_core.kernel.errors import Misuse, RecipeError

WINDOW = 128
"""Samples per window: what a large screen shows at once, about 0.5 MB."""

INLINE = {
    "JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp",
    "BMP": "image/bmp", "AVIF": "image/avif",
}  # fmt: skip
"""Formats that every browser shows and that hold no script (SVG and HTML do)."""

PICTURE = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
REPORT = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # An origin of its own: whatever a report holds, it cannot reach the app or the network.
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'; sandbox allow-scripts",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def window(request: Request) -> Response:
    """One binary answer: length of the header (uint32, little-endian), JSON header, the pictures.

    Header: {"samples": [`marks.described`, …], "lengths": [bytes of each picture]}, 0 where there
    is no thumbnail. `boxes=1` adds the annotated boxes; `pictures=0` leaves the pictures out, for
    a browser that has them; `marks` sets answers from before and after a decision apart.
    410: the view is gone, ask the page for a new one.
    """
    asked = request.query_params
    start = asked.get("start", "0")
    if not start.isascii() or not start.isdigit() or len(start) > 12:
        return _refused("start must be a row number", 400)
    wanted = Wanted(boxes=asked.get("boxes") == "1", pictures=asked.get("pictures") != "0")
    body = await run_in_threadpool(window_body, request.path_params["key"], int(start), wanted)
    if body is None:
        return _refused("this view is gone", 410)
    # identity: JPEG does not shrink, and Streamlit would gzip it
    return Response(body, media_type="application/octet-stream",
                    headers={**PICTURE, "Content-Encoding": "identity"})  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a window is to hold beside names and marks."""

    boxes: bool = False
    pictures: bool = True


def window_body(key: str, start: int, wanted: Wanted) -> bytes | None:
    """The bytes of a window, None where there is no such view."""
    view = VIEWS.get(key)
    if view is None:
        return None
    rows = view[start : start + WINDOW]
    pictures = marks.pictures(rows) if wanted.pictures else [b""] * len(rows)
    samples = marks.described(rows)
    if wanted.boxes:
        samples = [s | b for s, b in zip(samples, marks.boxed(rows), strict=True)]
    header = json.dumps({"samples": samples, "lengths": [len(p) for p in pictures]}).encode()
    return b"".join([struct.pack("<I", len(header)), header, *pictures])


async def thumbnail(request: Request) -> Response:
    """A JPEG; 404 where the picture could not be decoded."""
    if not _admitted(request):
        return _refused("these results are gone", 410)
    found = await run_in_threadpool(
        recipe.thumbnail, opened.workspace(), request.path_params["row"]
    )
    if found is None:
        return _refused("no picture", 404)
    return Response(found, media_type="image/jpeg", headers=PICTURE)


async def original(request: Request) -> Response:
    """The file's bytes; 415 where it is no picture that a browser can be trusted with."""
    if not _admitted(request):
        return _refused("these results are gone", 410)
    row = request.path_params["row"]
    try:
        found = await run_in_threadpool(recipe.original, opened.workspace(), row)
    except (OSError, RecipeError):
        return _refused("the file cannot be read", 404)
    kind = await run_in_threadpool(inline_type, found)
    if kind is None:
        return _refused("not a picture that browsers show", 415)
    name = f'inline; filename="sample-{row}.{kind.removeprefix("image/")}"'
    return Response(found, media_type=kind, headers={**PICTURE, "Content-Disposition": name})


def inline_type(data: bytes) -> str | None:
    """The media type that the bytes themselves say, None for anything not in INLINE."""
    try:
        with Image.open(io.BytesIO(data), formats=tuple(INLINE)) as picture:
            return INLINE.get(picture.format or "")
    except Exception:  # decoders raise many things on hostile bytes; none makes it a picture
        return None


async def report(request: Request) -> Response:
    """The HTML report for the preview."""
    if not _is_current(request.path_params["token"]):
        return _refused("these results are gone", 410)
    found = await run_in_threadpool(pipeline.report_bytes, opened.workspace(), "html")
    return Response(found, media_type="text/html", headers=REPORT)


async def shown(request: Request) -> Response:
    """The picture as a PNG where it is small, as a JPEG or as the file's own bytes where not."""
    if not _admitted(request) or not 0 <= request.path_params["size"] <= MOST_SIDE:
        return _refused("these results are gone", 410)
    row, size = request.path_params["row"], request.path_params["size"]
    try:
        data, kind = await run_in_threadpool(shown_bytes, row, size)
    except Exception:  # decoders raise many things on a file that changed since the scan
        return _refused("the file cannot be read", 404)
    return Response(data, media_type=kind, headers=PICTURE)


MOST_SIDE = 1024
"""Pixels a side of a picture as a net sees it."""
MOST_SHOWN = 1600
"""Longer side of a picture that browsers cannot show themselves."""


def shown_bytes(row: int, size: int) -> tuple[bytes, str]:
    """(bytes, media type) of a sample's picture; see `shown`."""
    data = recipe.original(opened.workspace(), row)
    kind = inline_type(data) if size == 0 else None
    if kind is not None:
        return data, kind
    from recipe_core.images.rgb import fitted, rgb

    out = io.BytesIO()
    if size:
        fitted(rgb(data, size), size).save(out, "PNG")
        return out.getvalue(), "image/png"
    picture = rgb(data)
    picture.thumbnail((MOST_SHOWN, MOST_SHOWN))
    picture.save(out, "JPEG", quality=92)
    return out.getvalue(), "image/jpeg"


MOST_BYTES = 2000
"""Bytes of an answer."""


async def answer(request: Request) -> Response:
    """Stores one answer of the page Human baseline: 204. 400: it is none; 410: not asked for any
    more; 503: it could not be stored now, send it again."""
    asked, number = request.path_params["labelling"], request.path_params["number"]
    if not answering.is_key(asked, number, request.path_params["key"]):
        return _refused("this labelling is not asked for any more", 410)
    body = await request.body()
    try:
        sent = json.loads(body) if len(body) <= MOST_BYTES else None
        await run_in_threadpool(answering.store, asked, number, sent)
    except (ValueError, Misuse) as e:
        return _refused(str(e), 400)
    except RecipeError as e:
        return _refused(str(e), 503)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _admitted(request: Request) -> bool:
    """Whether the token is that of the results as they are, and the row one of theirs."""
    current = _is_current(request.path_params["token"])
    return current and 0 <= request.path_params["row"] < len(opened.evidence())


def _is_current(token: str) -> bool:
    return opened.has_results() and hmac.compare_digest(token.encode(), opened.token().encode())


def _refused(why: str, status: int) -> Response:
    return PlainTextResponse(why, status, headers={"Cache-Control": "no-store"})


ROUTES = [
    Route("/api/window/{key}", window),
    Route("/api/thumbnail/{token}/{row:int}", thumbnail),
    Route("/api/original/{token}/{row:int}", original),
    Route("/api/report/{token}", report),
    Route("/api/shown/{token}/{row:int}/{size:int}", shown),
    Route("/api/answer/{labelling:int}/{number:int}/{key}", answer, methods=["POST"]),
]
