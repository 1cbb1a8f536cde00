"""How long does a person wait in LightlyStudio for a filter at 100,000 samples, beside Browse?

    python benchmarks/browse_peer.py SCANNED [--python PEERS_PYTHON] [--samples 100000] [--times 24]

SCANNED is a workspace (`recipe scan SOURCE -w SCANNED`), PEERS_PYTHON an interpreter that has
lightly-studio; without one an environment of its own is made in benchmarks/.work from PyPI (6 GB
with its torch). The peer gets the thumbnails of
the scan as files, repeated under names of their own in a folder per label, which it takes as tags;
no embeddings. That spares it the decoding of whole photos. Loading them once takes it minutes; the
database stays in benchmarks/.work. The wait is that of browse_page.py: from the click on a tag
until the number of images has changed and every picture on screen is decoded. Where the grid is
loaded after the number has changed, the wait is counted too short, in the peer's favour.

FiftyOne cannot be measured without its database, mongod: its package fetches that at the first
start from a host of its own, and neither PyPI, npm nor Debian 12 ships a server that it could be
pointed to (FIFTYONE_DATABASE_URI).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from browse_page import CHROMIUM, FLAGS, _chromium, _cpu, _row, _wait_for, free_port

from recipe_core import recipe

WORK = Path(__file__).resolve().parent / ".work"
PEER = "lightly-studio==1.2.0"
LOAD = """
import sys, lightly_studio as ls
if sys.argv[2] == "load":
    ls.ImageDataset.create(name="tiles").add_images_from_path(sys.argv[1], embed=False, tag_depth=1)
else:
    ls.ImageDataset.load(name="tiles")
    ls.start_gui(host="127.0.0.1", port=int(sys.argv[2]), open_browser=False)
"""
WATCH = """
(() => {
  const count = /Showing [0-9,]+ (of [0-9,]+ )?images/;
  const says = () => document.body.innerText.match(count)?.[0] || "";
  const onScreen = e => { const b = e.getBoundingClientRect();
    return b.height && b.bottom > 80 && b.top < innerHeight - 40; };
  window.painted = (before, start) => new Promise((done, fail) => {
    const look = () => {
      if (performance.now() - start > 120000) return fail(Error("no pictures: " + says()));
      const cells = says() && says() !== before
        ? [...document.querySelectorAll("[data-testid=sample-grid-item]")].filter(onScreen) : [];
      const drawn = c => [...c.querySelectorAll("img")].every(i => i.complete && i.naturalWidth);
      if (cells.length && cells.every(c => c.querySelector("img") && drawn(c)))
        return requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
      requestAnimationFrame(look);
    };
    look();
  });
  window.filteredBy = k => {
    const boxes = [...document.querySelectorAll("[data-testid=tag-menu-item] [role=checkbox]")];
    const before = says(), start = performance.now();
    boxes[k % boxes.length].click();
    return window.painted(before, start);
  };
})()
"""


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scanned", type=Path)
    parser.add_argument("--python", help="an interpreter that has lightly-studio")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=24)
    asked = parser.parse_args()
    python = asked.python or str(installed())
    folder = WORK / f"lightly-{asked.samples}"
    if not (folder / "loaded").exists():
        written(asked.scanned, folder / "tiles", asked.samples)
        subprocess.run([python, "-c", LOAD, str(folder / "tiles"), "load"], cwd=folder,
                       env=_environment(), check=True)  # fmt: skip
        (folder / "loaded").touch()
    port = free_port()
    with (folder / "served.log").open("wb") as out:
        command = [python, "-c", LOAD, str(folder / "tiles"), str(port)]
        peer = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=out, stderr=out)
    try:
        _wait_for(f"http://127.0.0.1:{port}", peer, "/")
        asyncio.run(measured(f"http://127.0.0.1:{port}", peer.pid, asked.times))
    finally:
        peer.terminate()
        peer.wait()


def installed() -> Path:
    """The interpreter of an environment that has the peer; made where there is none."""
    python = WORK / "lightly-env" / "bin" / "python"
    if not (python.parent.parent / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", python.parent.parent], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PEER], check=True)
        (python.parent.parent / "installed").touch()
    return python


def _environment() -> dict[str, str]:
    own = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # `app` is a common name
    return {**own, "LIGHTLY_STUDIO_ANALYTICS_ENABLED": "false"}


def written(scanned: Path, folder: Path, n: int) -> None:
    """n names, in a folder per label, of the thumbnails of a scan (hard links)."""
    labels = recipe.evidence(scanned).texts("label")
    rows = [i for i in range(len(labels)) if recipe.thumbnail(scanned, i)]
    first: dict[int, Path] = {}
    for k in range(n):
        row = rows[k % len(rows)]
        path = folder / (labels[row] or "none") / f"{k:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if row in first:
            path.hardlink_to(first[row])
        else:
            path.write_bytes(recipe.thumbnail(scanned, row) or b"")
            first[row] = path


async def measured(address: str, pid: int, times: int) -> None:
    """Print cold opens and filters."""
    import psutil
    from playwright.async_api import async_playwright

    server = psutil.Process(pid)
    print(
        "| wait | n | first, s | p50, s | p95, s | wanted |\n|---|---|---|---|---|---|", flush=True
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = await _tab(browser, address)
        await page.get_by_role("button", name="Dismiss").click()
        before = _cpu(server), _cpu(*_chromium())
        rng, waits = random.Random(1), []
        for _ in range(times):
            k = rng.randrange(1000)
            waits.append(await page.evaluate("k => window.filteredBy(k)", k) / 1000)
            await page.wait_for_timeout(500)
        after = _cpu(server), _cpu(*_chromium())
        _row("filter, LightlyStudio", waits, None)
        await browser.close()
    each = [1000 * (b - a) / times for a, b in zip(before, after, strict=True)]
    print(f"\nprocessor time per filter: server {each[0]:.0f} ms, browser {each[1]:.0f} ms; "
          f"server memory {server.memory_info().rss / 2**20:,.0f} MB; waits from "
          f"{min(waits):.2f} to {max(waits):.2f} s, mean {np.mean(waits):.2f} s")  # fmt: skip


async def _tab(browser: Any, address: str) -> Any:
    context = await browser.new_context(viewport={"width": 1400, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(120_000)
    await page.add_init_script(WATCH)
    await page.goto(address, wait_until="commit")
    await page.wait_for_selector("[data-testid=tag-menu-item]")
    await page.evaluate("() => window.painted('', 0)")
    return page


if __name__ == "__main__":
    main()
