"""Do saved views stay as they were saved, whatever their names and whoever saves at once?"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recipe_core import recipe
from recipe_core.data.browse import EVERYTHING, Filter, Order
from recipe_core.kernel.errors import Misuse, WorkspaceError
from recipe_core.store.views import LONGEST_NAME, Views

HOSTILE = (
    "'; DROP TABLE views; --", "../../etc/passwd", '"quoted"', "猫 ß é", "a\nb", "a\0b", "%", "*",
    "x" * LONGEST_NAME, "<script>alert(1)</script>", "\u202eabc", "NULL",
)  # fmt: skip

WRITER = """
import sys
from pathlib import Path
from recipe_core.store.views import Views
views, who = Views(Path(sys.argv[1])), sys.argv[2]
sys.stdin.readline()
for i in range(10):
    views.save(f"{who} {i}", who, who)
    views.save("shared", who, who)
    views.save("gone", who, who)
    views.forget("gone")
"""


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(tmp_path / "views.db")


def test_nothing_is_made_before_something_is_saved(views: Views) -> None:
    assert views.all() == {}
    assert views.forget("x") is False
    assert not views.path.exists()


def test_saving_overwriting_and_forgetting(views: Views) -> None:
    views.save("b", "filter 1", "order 1")
    views.save("a", "filter 2", "order 2")
    assert list(views.all().items()) == [
        ("a", ("filter 2", "order 2")),
        ("b", ("filter 1", "order 1")),
    ]
    views.save("  b ", "filter 3", "order 3")
    assert views.all() == {"a": ("filter 2", "order 2"), "b": ("filter 3", "order 3")}
    assert views.forget(" b ") is True
    assert views.forget("b") is False
    assert views.all() == {"a": ("filter 2", "order 2")}


def test_hostile_names_are_only_names(views: Views, tmp_path: Path) -> None:
    for i, name in enumerate(HOSTILE):
        views.save(name, f"filter {i}", "{}")
    assert views.all() == {name: (f"filter {i}", "{}") for i, name in enumerate(HOSTILE)}
    assert [p.name for p in tmp_path.iterdir()] == ["views.db"]
    for name in HOSTILE:
        assert views.forget(name) is True
    assert views.all() == {}


@pytest.mark.parametrize("name", ["", "   ", "\n", "x" * (LONGEST_NAME + 1), "half \ud800"])
def test_a_name_that_cannot_be_is_misuse(views: Views, name: str) -> None:
    views.save("good", "f", "o")
    with pytest.raises(Misuse):
        views.save(name, "f", "o")
    assert views.all() == {"good": ("f", "o")}


def test_two_processes_at_once_lose_nothing(views: Views) -> None:
    words = [sys.executable, "-c", WRITER, str(views.path)]
    writers = [subprocess.Popen([*words, who], stdin=subprocess.PIPE) for who in ("ann", "bob")]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [w.wait(60) for w in writers] == [0, 0]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.close()
    found = views.all()
    assert found.pop("shared") in (("ann", "ann"), ("bob", "bob"))  # one of them, whole
    assert found == {f"{who} {i}": (who, who) for who in ("ann", "bob") for i in range(10)}


def test_threads_at_once_lose_nothing(views: Views) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: views.save(f"{i:02d}", str(i), "{}"), range(16)))
    assert views.all() == {f"{i:02d}": (str(i), "{}") for i in range(16)}


def test_a_damaged_file_is_told_and_left_alone(views: Views) -> None:
    views.path.write_bytes(b"this is no database" * 100)
    for ask in (views.all, lambda: views.save("a", "f", "o"), lambda: views.forget("a")):
        with pytest.raises(WorkspaceError):
            ask()
    assert views.path.read_bytes() == b"this is no database" * 100


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError):
        recipe.save_view(tmp_path / "nothing", "a", EVERYTHING)
    assert recipe.views(tmp_path / "nothing") == {}
    assert recipe.forget_view(tmp_path / "nothing", "a") is False


def test_the_front_desk_keeps_filters_and_orders(tmp_path: Path) -> None:
    filter = Filter(
        (("label", ("cat", None, "O'Brien; 猫")),), (("age", 0.1, None),), '%"; --', "a = 'b\nc'"
    )
    order = Order("brightness", descending=True)
    recipe.save_view(tmp_path, "mine", filter, order)
    recipe.save_view(tmp_path, "plain", EVERYTHING)
    assert recipe.views(tmp_path) == {"mine": (filter, order), "plain": (EVERYTHING, Order())}
    recipe.save_view(tmp_path, "mine", EVERYTHING, Order(seed=0))
    assert recipe.views(tmp_path)["mine"] == (EVERYTHING, Order(seed=0))
    assert recipe.forget_view(tmp_path, "mine") is True
    assert list(recipe.views(tmp_path)) == ["plain"]


def test_views_of_a_later_version_are_left_out_but_kept(tmp_path: Path) -> None:
    stored = Views(tmp_path / "views.db")
    stored.save("later", '{"colour":"blue"}', "{}")
    stored.save("odd order", "{}", '{"seed":"x"}')
    stored.save("no JSON", "{", "{}")
    recipe.save_view(tmp_path, "good", Filter(search="x"))
    assert recipe.views(tmp_path) == {"good": (Filter(search="x"), Order())}
    assert set(stored.all()) == {"later", "odd order", "no JSON", "good"}
