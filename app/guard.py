"""Who may ask the app for anything, and what may its pages load?

The app has no login: it trusts the machine it runs on. What it must not trust is a page of
another site in the same browser (it could read thumbnails or embed them) and names inside the
data set (a Markdown picture in a class name would fetch from its address).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join((
    "default-src 'self'",
    # Streamlit's bundles compile code at run time (Plotly, Vega) and load components from blobs.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' ws: wss: data: blob:",
    "worker-src 'self' blob:",
    "frame-src 'self' blob: data:",
    "frame-ancestors 'self'",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
))  # fmt: skip
"""No picture, font, frame or script from another host, whatever a name in the data says."""


class SafeHeaders:
    """Adds the policy and its companions to every answer that has not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        await self.app(scope, receive, with_headers)


class SameOrigin:
    """Refuses requests for /api that another site's page made: 403.

    A browser says where a request comes from in Origin or Sec-Fetch-Site; a request with
    neither (curl, a script) is no other site's page. Another port of this machine is another site.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/") and foreign(scope):
            refusal = PlainTextResponse("asked for by another site", status_code=403)
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)


def foreign(scope: Scope) -> bool:
    """Whether the browser says that a page from elsewhere made this request."""
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")
