"""How long does a person wait in Browse at 100,000 and 1,000,000 samples?

    python benchmarks/browse_page.py [--samples 100000 1000000] [--times 24] [--sessions 5]
        [--only first cold scroll filter brush compare together] [--places FOLDER]

A headless Chromium (CHROMIUM names it) on the app as `recipe app` starts it, over a scan of real
photos (RECIPE_REAL_DATA, else sample_data/digits) that is repeated to the wanted size. Waits end
when every picture on screen is decoded and a frame was drawn:

first open  cold open as soon as a server that was started for it answers its health check
cold open   from the address to the pictures, in a new profile without a cache
filter      from the click on a label to the pictures of the new answer
scroll      from a jump of the scroll bar to a random place to the pictures there
brush       from letting go of a box over a scatter plot of all samples to the pictures in it
compare     from the click on "What is different?" about one label to the list of differences

Each p50 and p95 of `--times`; then filters in several tabs at once, in each a click every 1 … 3 s.
The browser shares the machine with the server and has no graphics card: both make times longer
than a person's, most of all with several tabs; the processor time of both stands below.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tiled_workspace import made

from recipe_core import recipe

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("RECIPE_REAL_DATA", ROOT.parent / "shared" / "data")) / "clothing"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WANTED = {
    100_000: {"cold open": 3.0, "filter": 0.5, "scroll": 0.5},
    1_000_000: {"cold open": 3.0, "filter": 1.0, "scroll": 0.5, "brush": 1.0},
}
"""Seconds at p95 that we want to stay below."""
WINDOW_MS = 1500
"""A new window of Chromium 156 loads 400 scripts for its own address bar: no page waits for them
when somebody opens a tab, and on two cores they would take half a second from it."""
PARTS = ("first", "cold", "scroll", "filter", "brush", "compare", "together")

WATCH = """
(() => {
  const seek = (root, selector) => {
    const here = root.querySelector(selector);
    if (here) return here;
    for (const e of root.querySelectorAll("*")) {
      const found = e.shadowRoot && seek(e.shadowRoot, selector);
      if (found) return found;
    }
  };
  const kept = {};
  window.find = s => kept[s]?.isConnected ? kept[s] : (kept[s] = seek(document, s));
  const onScreen = (cell, frame) => {
    const box = cell.getBoundingClientRect();
    return box.height && box.bottom > frame.top && box.top < frame.bottom;
  };
  const drawn = cell => cell.hasAttribute("aria-label")
    && [...cell.querySelectorAll("img[src]")].every(i => i.complete && i.naturalWidth);
  window.says = () => window.find("[role=status].says")?.textContent || "";
  window.painted = (before, start) => new Promise((done, fail) => {
    const look = () => {
      if (performance.now() - start > 60000) return fail(Error("no pictures: " + window.says()));
      const grid = window.find("[role=grid]"), frame = grid?.getBoundingClientRect();
      const cells = grid && window.says() !== before
        ? [...grid.querySelectorAll("[role=gridcell]")].filter(c => onScreen(c, frame)) : [];
      if (cells.length && cells.every(drawn))
        return requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
      requestAnimationFrame(look);
    };
    look();
  });
  window.scrolledTo = share => {
    const grid = window.find("[role=grid]"), before = window.says(), start = performance.now();
    grid.scrollTop = share * (grid.scrollHeight - grid.clientHeight);
    return window.painted(before, start);
  };
  window.filteredBy = k => {
    const list = window.find("[role=group][data-of=label]");
    const boxes = [...list.querySelectorAll("input")];
    const before = window.says(), start = performance.now();
    boxes[k % boxes.length].click();
    return window.painted(before, start);
  };
})()
"""


def main() -> None:
    """Print one table per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--times", type=int, default=24)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--scanned", type=Path, help="a scanned workspace, to save the scan")
    parser.add_argument("--places", type=Path, help="keep the tiled workspaces in this folder")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scanned = asked.scanned or Path(folder) / "scanned"
        source = REAL if REAL.exists() else ROOT / "sample_data" / "digits"
        if not asked.scanned:
            recipe.scan(source, scanned)
        print(f"pictures of {scanned.name if asked.scanned else source.name}, "
              f"load before the start {os.getloadavg()[0]:.1f}")  # fmt: skip
        for n in asked.samples:
            place = made(scanned, (asked.places or Path(folder)) / str(n), n)
            if "first" in asked.only:
                asyncio.run(first_opens(place, Path(folder) / "app.log", max(3, asked.times // 2)))
            with served(place, Path(folder) / "app.log") as (address, server):
                parts = frozenset(asked.only)
                asyncio.run(measured(address, server, n, asked.times, asked.sessions, parts))


@contextmanager
def served(place: Path, log: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The app on this workspace, until the block ends: its address and its process."""
    port = free_port()
    command = [sys.executable, "-m", "recipe_core.cli", "app", "-w", str(place)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BROWSER": "true"}
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--port", str(port)], env=environment,
                                   stdout=out, stderr=out, stdin=subprocess.DEVNULL)  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _wait_for(
    address: str, process: subprocess.Popen[bytes], path: str = "/_stcore/health"
) -> None:
    for _ in range(3000):
        try:
            urllib.request.urlopen(address + path, timeout=5).read()
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"the app ended with {process.returncode}") from None
            time.sleep(0.02)
    raise SystemExit("the app does not answer")


async def measured(
    address: str, server: psutil.Process, n: int, times: int, sessions: int, parts: frozenset[str]
) -> None:
    """Print the table of one size."""
    from playwright.async_api import async_playwright

    print(f"\n{n:,} samples\n\n| wait | n | first, s | p50, s | p95, s | wanted |")
    print("|---|---|---|---|---|---|", flush=True)
    wanted, alone = WANTED.get(n, {}), []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        if "cold" in parts:
            opens = [await opened_cold(browser, address) for _ in range(times)]
            _row("cold open", opens, wanted.get("cold open"))
        page = await _tab(browser, address)
        if "scroll" in parts:
            _row("scroll", await jumps(page, times, 0), wanted.get("scroll"))
        if parts & {"filter", "together"}:
            before = _cpu(server), _cpu(*_chromium())
            alone = await filters(page, times, 1)
            _row("filter", alone, wanted.get("filter"))
            _used("filter", before, server, times)
        if "brush" in parts:
            _row("brush", await brushes(browser, address, times), wanted.get("brush"))
        if "compare" in parts:
            _row("compare", await comparisons(page, address, max(3, times // 4)), None)
        _remembers(_renderers(), server)
        await page.context.close()
        if "together" in parts:
            await together(browser, address, server, times, sessions, alone)
            _remembers(_renderers(), server)
        await browser.close()


async def together(
    browser: Any, address: str, server: psutil.Process, times: int, sessions: int,
    alone: list[float],
) -> None:  # fmt: skip
    """Print the filters of several tabs at once, beside twice those of one."""
    tabs = [await _tab(browser, address) for _ in range(sessions)]
    for tab in tabs:  # pictures may be there before the facets are
        await tab.get_by_role("group", name="Label").wait_for()
    before = _cpu(server), _cpu(*_chromium())
    waits = await asyncio.gather(*(filters(t, times, k, (1.0, 3.0)) for k, t in enumerate(tabs)))
    later = [s for t in waits for s in t[1:]]  # each tab's first is left out, as one tab's is
    _row(f"filter, {sessions} tabs at once", [max(t[0] for t in waits), *later],
         2 * float(np.quantile(alone[1:], 0.95)))  # fmt: skip
    _used(f"filter, {sessions} tabs", before, server, sessions * times)


def _used(name: str, before: tuple[float, float], server: psutil.Process, n: int) -> None:
    each = [1000 * (now - then) / n for now, then in
            zip((_cpu(server), _cpu(*_chromium())), before, strict=True)]  # fmt: skip
    print(f"\nprocessor time per {name}: server {each[0]:.0f} ms, browser {each[1]:.0f} ms\n")


def _remembers(tab: int, server: psutil.Process) -> None:
    now, peak = (m / 2**20 for m in _memory(server))
    print(f"\nmemory: tab {tab / 2**20:,.0f} MB (wanted < 500), server {now:,.0f} MB, its peak "
          f"{peak:,.0f} MB (wanted < 1,500; with mapped files)", flush=True)  # fmt: skip


def _row(name: str, seconds: list[float], wanted: float | None) -> None:
    p50, p95 = np.quantile(seconds[1:], [0.5, 0.95])
    limit = f"< {wanted:.2f}" if wanted else ""
    print(f"| {name} | {len(seconds)} | {seconds[0]:.2f} | {p50:.2f} | {p95:.2f} | {limit} |",
          flush=True)  # fmt: skip


async def _window(browser: Any) -> Any:
    """An empty tab of a new profile, when Chromium has made its window and rests."""
    context = await browser.new_context(viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(120_000)
    await page.add_init_script(WATCH)
    await page.wait_for_timeout(WINDOW_MS)
    return page


async def _tab(browser: Any, address: str, question: str = "") -> Any:
    return await _gone_to(await _window(browser), address, question)


async def _gone_to(page: Any, address: str, question: str = "") -> Any:
    await page.goto(f"{address}/browse{question}", wait_until="commit")
    await page.evaluate("() => window.painted('', 0)")
    return page


async def opened_cold(browser: Any, address: str) -> float:
    """Seconds from the address to the pictures, in a new profile whose window is there."""
    page = await _window(browser)
    start = time.perf_counter()
    await _gone_to(page, address)
    waited = time.perf_counter() - start
    await page.context.close()
    return waited


async def first_opens(place: Path, log: Path, times: int) -> None:
    """Print a row of opens, each of a server of its own; the browser is there before it."""
    from playwright.async_api import async_playwright

    waits, peaks = [], []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for _ in range(times):
            page = await _window(browser)
            with served(place, log) as (address, server):
                start = time.perf_counter()
                await _gone_to(page, address)
                waits.append(time.perf_counter() - start)
                peaks.append(_memory(server)[1] / 2**20)
            await page.context.close()
        await browser.close()
    print(f"\n{place.name} samples, {times} servers just started: first picture after "
          f"{min(waits):.2f} to {max(waits):.2f} s, p50 {np.quantile(waits, 0.5):.2f}, p95 "
          f"{np.quantile(waits, 0.95):.2f} (wanted < 3); their peak {max(peaks):,.0f} MB",
          flush=True)  # fmt: skip


async def jumps(page: Any, times: int, seed: int) -> list[float]:
    """Seconds from a jump to a random place to the pictures there."""
    rng, waits = random.Random(seed), []
    for _ in range(times):
        waits.append(await page.evaluate("s => window.scrolledTo(s)", rng.random()) / 1000)
        await page.wait_for_timeout(300)
    return waits


async def filters(
    page: Any, times: int, seed: int, pause_s: tuple[float, float] = (0.5, 0.5)
) -> list[float]:
    """Seconds from a click on a random label to the pictures; every click changes the answer."""
    rng, waits = random.Random(seed), []
    await page.wait_for_timeout(1000 * rng.uniform(0, pause_s[1]))  # five people, not one clock
    for _ in range(times):
        waits.append(await page.evaluate("k => window.filteredBy(k)", rng.randrange(1000)) / 1000)
        await page.wait_for_timeout(1000 * rng.uniform(*pause_s))
    return waits


async def brushes(browser: Any, address: str, times: int) -> list[float]:
    """Seconds from the end of a brush to the pictures; every box is another one."""
    page = await _tab(browser, address, "?beside=plots&across=brightness&up=contrast")
    rng, waits = random.Random(2), []
    for _ in range(times):
        plot = page.get_by_role("application", name="Contrast over Brightness")
        await plot.wait_for()
        await page.wait_for_timeout(700)
        box = await plot.bounding_box()
        x, y = (
            box[a] + rng.uniform(0.1, 0.4) * box[b] for a, b in (("x", "width"), ("y", "height"))
        )
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x + 0.2 * box["width"], y + 0.2 * box["height"], steps=3)
        await page.mouse.move(x + 0.4 * box["width"], y + 0.4 * box["height"], steps=3)
        await page.evaluate("() => { window.before = window.says() }")
        start = time.perf_counter()
        await page.mouse.up()
        await page.evaluate("() => window.painted(window.before, performance.now())")
        waits.append(time.perf_counter() - start)
    await page.context.close()
    return waits


async def comparisons(page: Any, address: str, times: int) -> list[float]:
    """Seconds from asking what sets a label apart to the answer; each label is asked once."""
    waits = []
    for k in range(times):
        await page.goto(f"{address}/browse", wait_until="commit")
        await page.evaluate("() => window.painted('', 0)")
        await page.evaluate("k => window.filteredBy(k)", k)
        start = time.perf_counter()
        await page.get_by_text("+ What is different?").click()
        await page.locator(".r-differences").wait_for()
        waits.append(time.perf_counter() - start)
    return waits


def _renderers() -> int:
    """Bytes that the largest tab has to itself."""
    return max(map(_own_bytes, _chromium()), default=0)


def _own_bytes(process: psutil.Process) -> int:
    try:
        is_tab = "--type=renderer" in process.cmdline()
        return int(process.memory_full_info().uss) if is_tab else 0
    except psutil.NoSuchProcess:  # a tab that was closed just now
        return 0


def _chromium() -> list[psutil.Process]:
    """The browser and its tabs."""
    return [p for p in psutil.Process().children(recursive=True) if _is_chromium(p)]


def _is_chromium(process: psutil.Process) -> bool:
    try:
        return Path(process.exe()).name.startswith("chrom")
    except psutil.Error:
        return False


def _cpu(*processes: psutil.Process) -> float:
    """Seconds of processor time so far, together."""
    return sum(sum(p.cpu_times()[:2]) for p in processes)


def _memory(process: psutil.Process) -> tuple[int, int]:
    """Bytes in use now and at the peak."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return process.memory_info().rss, int(peak) * 1024


if __name__ == "__main__":
    main()
