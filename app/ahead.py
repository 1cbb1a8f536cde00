"""What can a browser fetch before it knows that it will need it? The widgets that pages begin with.

Streamlit's page asks for the code of a widget when the first one arrives, and for what that code
imports when it has it: a chain of waits, in which a server that has just started answers late. The
page itself names them in a Link header (modulepreload), so they come with the rest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.file_util import get_static_dir

WIDGETS = ("Html", "TextInput", "BidiComponent", "Selectbox", "ButtonGroup", "Slider", "Button")
"""Chunks of Streamlit's bundle, by the name before the hash; one that is gone is left out."""
NO_PAGES = ("/api/", "/media/")
_IMPORTED = re.compile(r'(?:from|import)"\./([\w.-]+\.js)"')


class Ahead:
    """Adds the header to Streamlit's page; not to HTML of ours, which is shut off from scripts, nor
    to an HTML file that is downloaded: the links are relative, and it lies elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_links(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", links(get_static_dir()))
            await send(message)

        asked = scope["type"] == "http" and not scope["path"].startswith(NO_PAGES)
        await self.app(scope, receive, with_links if asked else send)


@lru_cache(maxsize=1)
def links(static: str) -> str:
    """The header's value: each widget's chunk and all that it imports, the page's own left out."""
    folder = Path(static) / "static" / "js"
    page = Path(static, "index.html").read_text(encoding="utf-8")
    found: dict[str, None] = {}
    for widget in WIDGETS:
        for chunk in sorted(folder.glob(f"{widget}.*.js")):
            _follow(chunk, page, found)
    return ", ".join(f"<./static/js/{name}>; rel=modulepreload; crossorigin" for name in found)


def _follow(chunk: Path, page: str, found: dict[str, None]) -> None:
    if chunk.name in found or chunk.name in page or not chunk.is_file():
        return
    found[chunk.name] = None
    for name in _IMPORTED.findall(chunk.read_text(encoding="utf-8")):
        _follow(chunk.with_name(name), page, found)
