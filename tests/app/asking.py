"""How does a test ask an ASGI app for something? One request, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.applications import Starlette
from starlette.types import Message


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def ask(
    app: Starlette,
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    content: bytes = b"",
) -> Answer:
    """`Host` is 127.0.0.1:8501 unless given."""
    sent: list[Message] = []
    path, _, query = url.partition("?")
    given = {"host": "127.0.0.1:8501", **{k.lower(): v for k, v in (headers or {}).items()}}
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(urlsplit(path).path), "raw_path": path.encode(),
        "root_path": "", "query_string": query.encode("utf-8"), "server": ("127.0.0.1", 8501),
        "client": ("127.0.0.1", 50000),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start = next(m for m in sent if m["type"] == "http.response.start")
    body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    names = {k.decode().lower(): v.decode("latin-1") for k, v in start["headers"]}
    return Answer(start["status"], names, body)
