"""Does a browser hear at once of the code that pages begin with, all of it and nothing twice?"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send
from streamlit.file_util import get_static_dir

from app import ahead

PAGE = Path(get_static_dir(), "index.html").read_text(encoding="utf-8")
CHUNKS = Path(get_static_dir(), "static", "js")


def named() -> list[str]:
    return re.findall(r"<\./static/js/([^>]+)>", ahead.links(get_static_dir()))


def test_each_widget_and_all_it_imports_is_named_once() -> None:
    names = named()
    assert {n.split(".")[0] for n in names} >= set(ahead.WIDGETS)
    assert len(names) == len(set(names)) and not [n for n in names if n in PAGE]
    for name in names:  # whatever a chunk imports is in the page or named too: no chain is left
        text = (CHUNKS / name).read_text(encoding="utf-8")
        imported = re.findall(r'(?:from|import)"\./([^"]+\.js)"', text)
        assert not [i for i in imported if i not in PAGE and i not in names]


def answered(path: str) -> dict[bytes, bytes]:
    """The headers of an HTML answer at this path."""
    sent: list[Message] = []

    async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
        html = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": html})

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path}
    asyncio.run(ahead.Ahead(page)(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
    return dict(sent[0]["headers"])


def test_only_pages_of_streamlit_name_them() -> None:
    assert b"modulepreload" in answered("/browse")[b"link"]
    assert b"link" not in answered("/api/report/x")
    assert b"link" not in answered("/media/report.html")  # a download, once answered with 404s
