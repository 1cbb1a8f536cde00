"""Does a browser store answers, and only answers that are asked for, blind to the labels?"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app import answering, labeller, opened
from recipe_core import recipe
from recipe_core.images.rgb import pixels
from recipe_core.skeleton import labelling
from tests.app.making import HOSTILE_CLASS
from tests.app.test_pages import drawn, said
from tests.app.test_routes import Browser, browser, own_copy  # noqa: F401

NAMES = (HOSTILE_CLASS, "dog")


@pytest.fixture
def client(own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:  # noqa: F811
    """The routes over a workspace with a labelling of 6 pictures, its first pass begun."""
    monkeypatch.setenv("RECIPE_WORKSPACE", str(own_copy))
    begin(6)
    yield browser()


def begin(n: int) -> None:
    log, now = labelling.answers(opened.workspace()), datetime.now().astimezone()
    ids = labelling.drawn(opened.evidence(), "test", n, seed=1)
    log.begin_pass(log.begin("test", 1, 0, NAMES, ids, now), 1, "Anna", now)


def rows() -> list[int]:
    asked = labelling.answers(opened.workspace()).latest()
    assert asked is not None
    found: list[int] = labeller.given(asked, 1)["rows"]
    return found


def post(client: Browser, row: int, answer: int | None, key: str) -> int:
    return send(client, {"row": row, "answer": answer, "seconds": 1.0, "id": key})


def send(client: Browser, body: dict[str, Any]) -> int:
    url = f"/api/answer/1/1/{answering.key(1, 1)}"
    return client.post(url, json.dumps(body).encode()).status_code


def answers() -> list[str]:
    return [a.name for a in labelling.answers(opened.workspace()).answered(1, 1)]


def test_answers_are_stored_and_taken_back(client: Browser) -> None:
    first, second = rows()[:2]
    assert post(client, first, 1, "key-0001") == 204
    assert post(client, second, -1, "key-0002") == 204
    assert answers() == ["dog", ""]
    assert post(client, second, None, "key-0003") == 204
    assert answers() == ["dog"]


def test_what_is_no_answer_is_refused(client: Browser) -> None:
    row = rows()[0]
    other = next(r for r in range(len(opened.evidence())) if r not in rows())
    for bad in (
        {"row": -1}, {"row": 10**9}, {"row": "0"}, {"row": True}, {"answer": 2}, {"answer": 0.5},
        {"id": "short"}, {"id": 7}, {"row": other}, {"id": "x" * 3000},
    ):  # fmt: skip
        sent = {"row": row, "answer": 1, "seconds": 1.0, "id": "key-0001"} | bad
        assert send(client, sent) == 400, bad
    assert client.post(f"/api/answer/1/1/{'0' * 32}", b"{}").status_code == 410
    assert client.post(f"/api/answer/1/2/{answering.key(1, 1)}", b"{}").status_code == 410
    assert client.post(f"/api/answer/1/1/{answering.key(1, 1)}", b"[1").status_code == 400
    assert answers() == []


def test_another_site_cannot_answer(client: Browser) -> None:
    url = f"/api/answer/1/1/{answering.key(1, 1)}"
    body = json.dumps({"row": rows()[0], "answer": 1, "seconds": 1.0, "id": "key-0001"}).encode()
    assert client.post(url, body, {"origin": "http://evil.example"}).status_code == 403
    assert client.get(url).status_code == 405
    assert answers() == []


def test_the_browser_is_told_neither_label_nor_name(client: Browser) -> None:
    asked = labelling.answers(opened.workspace()).latest()
    assert asked is not None
    told = labeller.given(asked, 1)
    assert set(told) == {"address", "token", "size", "rows", "classes", "keys", "answered"}
    evidence = opened.evidence()
    for row in told["rows"]:
        assert evidence.texts("path")[row] not in json.dumps(told)
    answer = client.get(f"/api/shown/{opened.token()}/{told['rows'][0]}/0")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    assert "dog" not in str(answer.headers) and "content-disposition" not in answer.headers


def test_a_pass_goes_on_where_it_was(client: Browser) -> None:
    asked = labelling.answers(opened.workspace()).latest()
    assert asked is not None
    order = rows()
    post(client, order[2], 0, "key-0001")
    post(client, order[0], 1, "key-0002")
    assert labeller.given(asked, 1)["answered"] == [[2, 0], [0, 1]]


def test_keys() -> None:
    assert labeller.keys_for(["a", "b"]) == ["1", "2"]
    assert labeller.keys_for([str(i) for i in range(10)])[-1] == "0"
    many = ["apple", "ant", "bee", *(f"x{i}" for i in range(20))]
    keys = labeller.keys_for(many)
    assert keys[:3] == ["a", "n", "b"] and len(set(keys)) == len(many)
    assert len(set(labeller.keys_for(["同じ"] * 36))) == 36
    assert labeller.keys_for(["c"] * 37) == []


# -- the page -----------------------------------------------------------------------------------


def test_results_wait_for_the_second_pass(client: Browser) -> None:
    order = rows()
    for i, row in enumerate(order):
        post(client, row, i % 2, f"key-{i:04}")
    page = drawn("human_baseline")
    assert not page.exception
    assert "The first pass is done" in said(page) and "agrees with the labels" not in said(page)
    page.toggle(key="labelling-peek").set_value(True).run()
    assert not page.exception and "agrees with the labels" in said(page)
    page.button(key="labelling-again").click().run()
    assert "The same pictures in another order" in said(page)
    page.text_input(key="labelling-who").set_value("Berta").run()
    page.button(key="pass-begin").click().run()
    assert not page.exception and "Pass 2 of 2, by <b>Berta" in said(page)


def test_both_passes_give_kappa_and_the_disputed_pictures(client: Browser) -> None:
    log, now = labelling.answers(opened.workspace()), datetime.now().astimezone()
    log.begin_pass(1, 2, "Berta", now)
    labels = opened.evidence().texts("label")
    asked = log.latest()
    assert asked is not None
    for number in (1, 2):
        for i, sample in enumerate(labelling.order(asked, number)):
            row = labelling.rows_of(opened.evidence(), [sample])[0]
            wrong = sample == asked.sample_ids[0]
            name = NAMES[1 - NAMES.index(labels[row])] if wrong else labels[row]
            log.answer(1, number, sample, name, seconds=1, key=f"k{number}-{i}", now=now)
    page = drawn("human_baseline")
    assert not page.exception
    assert "1 picture that people call otherwise" in said(page)
    assert "Cohen&#x27;s kappa" in said(page)
    assert "83.3 %" in said(page)


def test_too_few_classes(empty: Path) -> None:
    assert "after the first scan" in said(drawn("human_baseline"))


def test_the_picture_is_the_nets_own_view_of_it(client: Browser) -> None:
    row = rows()[0]
    answer = client.get(f"/api/shown/{opened.token()}/{row}/32")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as shown:
        seen = np.asarray(shown.convert("RGB")).transpose(2, 0, 1)
    assert (seen == pixels(recipe.original(opened.workspace(), row), 32)).all()
    for url in (f"{opened.token()}/{10**6}/32", f"{opened.token()}/{row}/4096", f"x/{row}/32"):
        assert client.get(f"/api/shown/{url}").status_code == 410, url
