"""Does a browser get the pictures of the open workspace, and nothing else?"""

from __future__ import annotations

import io
import json
import shutil
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image
from starlette.applications import Starlette

from app import marks, opened, routes, views
from app.main import guards, names_of, trusted_hosts
from recipe_core import recipe
from recipe_core.data.browse import Filter
from recipe_core.store.workspace import Workspace
from tests.app.asking import Answer, ask
from tests.app.making import BROKEN_FILE, HOSTILE_FILE, N_SAMPLES


@dataclass(frozen=True)
class Browser:
    """Asks the routes behind their guards."""

    site: Starlette

    def get(self, url: str, headers: dict[str, str] | None = None) -> Answer:
        return ask(self.site, url, headers)

    def post(self, url: str, content: bytes, headers: dict[str, str] | None = None) -> Answer:
        return ask(self.site, url, headers, method="POST", content=content)


def browser() -> Browser:
    return Browser(Starlette(routes=routes.ROUTES, middleware=guards(["127.0.0.1", "localhost"])))


@pytest.fixture
def client(workspace: Path) -> Browser:
    return browser()


@pytest.fixture
def own_copy(scanned: Path, tmp_path: Path) -> Path:
    """A copy of the workspace that the test may write to."""
    shutil.copytree(scanned, tmp_path / "copy")
    return tmp_path / "copy"


def row_of(ending: str) -> int:
    paths = opened.evidence().texts("path")
    return next(i for i, p in enumerate(paths) if p.endswith(ending))


def unpacked(body: bytes) -> tuple[list[dict[str, Any]], list[bytes]]:
    (length,) = struct.unpack_from("<I", body)
    header = json.loads(body[4 : 4 + length])
    at, pictures = 4 + length, []
    for n in header["lengths"]:
        pictures.append(body[at : at + n])
        at += n
    assert at == len(body)
    return header["samples"], pictures


def test_a_window_holds_names_and_thumbnails_in_the_views_order(client: Browser) -> None:
    order = np.arange(N_SAMPLES, dtype=np.int64)[::-1].copy()
    key, total = views.open_view(("test", "reversed"), lambda: order)
    answer = client.get(f"/api/window/{key}?start=0")
    samples, pictures = unpacked(answer.content)
    assert total == N_SAMPLES and [s["row"] for s in samples] == order.tolist()
    paths, splits = (opened.evidence().texts(c) for c in ("path", "split"))
    for sample, jpeg in zip(samples, pictures, strict=True):
        row = sample["row"]
        assert (sample["path"], sample["split"]) == (paths[row], splits[row])
        assert jpeg == (recipe.thumbnail(opened.workspace(), row) or b"")
        if jpeg and "error" not in sample:
            assert Image.open(io.BytesIO(jpeg)).format == "JPEG"


def test_a_window_starts_where_it_is_asked_to_and_may_be_empty(client: Browser) -> None:
    key, _ = views.open_view(("test", "plain"), lambda: np.arange(N_SAMPLES))
    samples, _ = unpacked(client.get(f"/api/window/{key}?start=20").content)
    assert [s["row"] for s in samples] == list(range(20, N_SAMPLES))
    assert unpacked(client.get(f"/api/window/{key}?start=999999").content) == ([], [])


def window_of(client: Browser, rows: npt.ArrayLike, asked: str = "") -> list[dict[str, Any]]:
    order = np.asarray(rows, np.int64)
    key, _ = views.open_view(("test", order.tolist()), lambda: order)
    return unpacked(client.get(f"/api/window/{key}?start=0{asked}").content)[0]


def test_a_browser_that_has_the_pictures_asks_without_them(client: Browser) -> None:
    key, _ = views.open_view(("test", "plain"), lambda: np.arange(N_SAMPLES))
    full, pictures = unpacked(client.get(f"/api/window/{key}?start=0").content)
    lean, none = unpacked(client.get(f"/api/window/{key}?start=0&pictures=0&marks=7").content)
    assert lean == full and any(pictures) and not any(none)


def test_findings_are_named_as_the_filter_counts_them(client: Browser) -> None:
    samples = window_of(client, np.arange(N_SAMPLES))
    for check, finding in opened.findings().items():
        named = set(finding.subjects.blamed().tolist())
        assert {s["row"] for s in samples if check in s.get("findings", ())} == named
        counted = recipe.browser(opened.workspace()).rows(Filter().with_values("finding", [check]))
        assert set(counted.tolist()) == named
    assert any("corruption" in s.get("findings", ()) for s in samples)


def test_decisions_are_in_the_window_that_is_asked_for_next(
    client: Browser, own_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIPE_WORKSPACE", str(own_copy))
    ids = opened.evidence().texts("sample_id")
    taken = recipe.decisions(own_copy)
    before = marks.state()
    now = datetime.now(UTC)
    taken.record("exclude", [ids[3]], "blurred", "ada", now)
    taken.record("tag", [ids[3], ids[4]], "<b>odd</b>", "ada", now)
    taken.record("relabel", [ids[5]], "wolf", "ada", now)
    taken.record("include", [ids[6]], None, "ada", now)
    samples = window_of(client, [3, 4, 5, 6, 7])
    told = [{k: s[k] for k in ("decision", "tags", "relabel") if k in s} for s in samples]
    assert told == [
        {"decision": "excluded", "tags": ["<b>odd</b>"]}, {"tags": ["<b>odd</b>"]},
        {"relabel": "wolf"}, {"decision": "kept"}, {},
    ]  # fmt: skip
    assert marks.state() != before
    taken.undo("ada", now)
    assert "decision" not in window_of(client, [6])[0]


def test_boxes_come_when_asked_for(client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    corners = np.array([[0, 0, 0.5, 1], [0.25, 0.5, 0.75, 1]], np.float32)
    starts = np.where(np.arange(N_SAMPLES + 1) > 2, 2, 0)
    held = marks.Boxes(starts, corners, pa.chunked_array([["cat", "<i>dog</i>"]]))
    monkeypatch.setattr(marks, "boxes", lambda: held)
    assert "boxes" not in window_of(client, [2])[0]
    with_one, without = window_of(client, [2, 3], "&boxes=1")
    assert with_one["boxes"] == [[0, 0, 0.5, 1, "cat"], [0.25, 0.5, 0.75, 1, "<i>dog</i>"]]
    assert with_one["size"] == [96, 80] and "boxes" not in without


@pytest.mark.parametrize("start", ["-1", "x", "1.5", "9" * 30, "%00", "²"])
def test_a_bad_start_is_refused(client: Browser, start: str) -> None:
    key, _ = views.open_view(("test", "plain"), lambda: np.arange(N_SAMPLES))
    assert client.get(f"/api/window/{key}?start={start}").status_code == 400


def test_guessed_keys_and_tokens_open_nothing(client: Browser) -> None:
    for path in ("window/0", f"thumbnail/{'0' * 32}/0", "original/ä/0", f"report/{'f' * 32}"):
        assert client.get(f"/api/{path}").status_code == 410, path
    assert client.get(f"/api/original/{opened.token()}/0").status_code == 200  # healthy twin


@pytest.mark.parametrize(
    "row", ["-1", str(N_SAMPLES), "..", "%2e%2e%2fetc%2fpasswd", "0/../1", "1e3"]
)
def test_only_rows_of_the_open_data_set_exist(client: Browser, row: str) -> None:
    for kind in ("original", "thumbnail"):
        assert client.get(f"/api/{kind}/{opened.token()}/{row}").status_code in (404, 410)


def test_the_original_is_the_file_itself(client: Browser) -> None:
    row = row_of("dog/003.jpg")
    answer = client.get(f"/api/original/{opened.token()}/{row}")
    path = opened.evidence().dataset.root / str(opened.evidence().texts("path")[row])
    assert answer.content == path.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_no_name_from_the_data_set_reaches_a_header(client: Browser) -> None:
    answer = client.get(f"/api/original/{opened.token()}/{row_of(HOSTILE_FILE)}")
    assert answer.status_code == 200
    assert not any("evil" in v or "<" in v for v in answer.headers.values())


@pytest.mark.parametrize(
    "content",
    [b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"<!doctype html><script>1",
     b"\x89PNG\r\n\x1a\n<script>", b"GIF89a", b"", b"%PDF-1.7"],
)  # fmt: skip
def test_what_is_no_safe_picture_is_never_inline(content: bytes) -> None:
    assert routes.inline_type(content) is None


@pytest.mark.parametrize("kind", sorted(routes.INLINE))
def test_safe_pictures_are_known_by_their_bytes(kind: str) -> None:
    held = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(held, kind)
    assert routes.inline_type(held.getvalue()) == routes.INLINE[kind]


def test_a_tiff_is_a_picture_but_not_one_for_browsers() -> None:
    held = io.BytesIO()
    Image.new("RGB", (9, 7)).save(held, "TIFF")
    assert routes.inline_type(held.getvalue()) is None


def test_an_original_that_is_gone_is_a_404(
    client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = row_of(BROKEN_FILE)
    path = opened.evidence().dataset.root / str(opened.evidence().texts("path")[row])
    hidden = path.rename(path.with_suffix(".away"))
    try:
        assert client.get(f"/api/original/{opened.token()}/{row}").status_code == 404
    finally:
        hidden.rename(path)


def test_the_report_is_shut_off_from_the_app(client: Browser) -> None:
    answer = client.get(f"/api/report/{opened.token()}")
    assert answer.status_code == 200 and b"<html" in answer.content.lower()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy
    assert "allow-same-origin" not in policy


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Origin": "http://127.0.0.1:8501"}, 200),
     ({"Sec-Fetch-Site": "same-origin"}, 200),
     ({"Sec-Fetch-Site": "none"}, 200), ({"Origin": "http://evil.example"}, 403),
     ({"Origin": "http://127.0.0.1:9999"}, 403), ({"Origin": "null"}, 403),
     ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
     ({"Host": "evil.example"}, 400), ({"Host": "127.0.0.1.evil.example"}, 400),
     ({"Host": "localhost:8501"}, 200)],
)  # fmt: skip
def test_who_may_ask(client: Browser, headers: dict[str, str], status: int) -> None:
    assert client.get(f"/api/thumbnail/{opened.token()}/0", headers=headers).status_code == status


def test_keys_end_with_the_results_they_were_made_from(
    client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_token = opened.token()
    old_key, _ = views.open_view(("test", "ends"), lambda: np.arange(3))
    monkeypatch.setattr(Workspace, "state", lambda self: "another scan")
    assert client.get(f"/api/thumbnail/{old_token}/0").status_code == 410
    assert views.open_view(("test", "ends"), lambda: np.arange(3))[0] != old_key


def test_nothing_is_served_before_the_first_scan(empty: Path) -> None:
    assert browser().get(f"/api/original/{opened.token()}/0").status_code == 410


def test_hosts() -> None:
    assert trusted_hosts({}) == ["localhost", "127.0.0.1", "::1", "[::1]"]
    assert trusted_hosts({"RECIPE_HOSTS": " Gpu-Box ,,"})[-1] == "gpu-box"
    assert names_of("127.0.0.1") == ["127.0.0.1"]
    assert "0.0.0.0" not in names_of("0.0.0.0") and "*" not in names_of("0.0.0.0")
