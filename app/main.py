"""How does the app start? `recipe app`, `streamlit run app/main.py`, `uvicorn app.main:app`.

In the wheel this folder and `pages` lie in recipe_core/_web: whatever holds both goes to the
front of sys.path, so that a foreign package called `app` is never imported in their place.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if sys.path[0] != str(ROOT):
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from app.ahead import Ahead  # noqa: E402
from app.guard import SafeHeaders, SameOrigin  # noqa: E402
from app.routes import ROUTES  # noqa: E402
from app.warming import warmed  # noqa: E402

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


def trusted_hosts(environment: Mapping[str, str]) -> list[str]:
    """Names by which a browser may ask for the app: this machine, and RECIPE_HOSTS (commas)."""
    named = environment.get("RECIPE_HOSTS", "").split(",")
    return list(dict.fromkeys([*LOOPBACK, *(h.strip().lower() for h in named if h.strip())]))


def names_of(host: str) -> list[str]:
    """Under which names a server bound to `host` is asked for; a wildcard means all of ours."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    own = {socket.gethostname(), socket.getfqdn()}
    try:
        own |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:  # a machine whose name does not resolve still answers to localhost
        return sorted(own)
    return sorted(own)


def run(host: str = "127.0.0.1", port: int = 8501) -> None:
    """Serve until stopped. The workspace and the source come from the environment:
    RECIPE_WORKSPACE, RECIPE_SOURCE; RECIPE_HOSTS adds host names that a proxy may use."""
    hosts = [*trusted_hosts(os.environ), *names_of(host)]
    os.environ["RECIPE_HOSTS"] = ",".join(hosts)
    # Streamlit looks for .streamlit/config.toml beside the script that argv names.
    sys.argv = [str(Path(__file__).resolve())]
    served = st.App(Path(__file__).with_name("router.py"), lifespan=warmed, routes=ROUTES,
                    middleware=guards(hosts))  # fmt: skip
    served.run(config={"server.address": host, "server.port": port, "server.allowedHosts": hosts})


def guards(hosts: list[str]) -> list[Middleware]:
    """What every request passes before Streamlit or a route of ours sees it."""
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(SafeHeaders),
        Middleware(SameOrigin),
        Middleware(Ahead),
    ]


app = st.App(
    Path(__file__).with_name("router.py"),
    lifespan=warmed,
    routes=ROUTES,
    middleware=guards(trusted_hosts(os.environ)),
)

if __name__ == "__main__":
    run()
