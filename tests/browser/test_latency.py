"""Does a second request over one connection wait for a delayed acknowledgement?

Without TCP_NODELAY on the accepted socket every answer after the first stalls for 40 ms on Linux
(Nagle's algorithm against delayed ACK; Kludex/uvicorn#3149). The loop of `streamlit[performance]`
sets it. Compared is a kept connection with fresh ones: those never stall, so load cancels out.
"""

from __future__ import annotations

import http.client
import statistics
import time
from urllib.parse import urlsplit

N = 25


def test_a_kept_connection_is_as_quick_as_a_fresh_one(site: str) -> None:
    host = urlsplit(site).netloc
    kept = http.client.HTTPConnection(host)
    _seconds(kept)
    reused = statistics.median(_seconds(kept) for _ in range(N))
    kept.close()
    fresh = statistics.median(_fresh(host) for _ in range(N))
    assert reused < 5 * fresh, f"{1e3 * reused:.1f} ms kept, {1e3 * fresh:.1f} ms fresh"


def _fresh(host: str) -> float:
    connection = http.client.HTTPConnection(host)
    try:
        return _seconds(connection)
    finally:
        connection.close()


def _seconds(connection: http.client.HTTPConnection) -> float:
    start = time.perf_counter()
    connection.request("GET", "/_stcore/health")
    connection.getresponse().read()
    return time.perf_counter() - start
