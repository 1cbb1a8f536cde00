"""Are only task files below the app's folder offered, whoever asks for others?"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.task_files import chosen, is_task, task_files, vetted
from recipe_core.kernel.errors import Misuse

TASK = "def build_model(num_classes):\n    return None\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with task files, other files, and links that lead out of it."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside / "deep" / "er", inside / ".hidden", inside / "site-packages", outside):
        folder.mkdir(parents=True)
        (folder / "task.py").write_text(TASK)
    (inside / "frozen.py").write_text("frozen = ['body']\n")
    (inside / "other.py").write_text("def helper():\n    return 'def build_model(x)'\n")
    (inside / "notes.txt").write_text(TASK)
    (inside / "broken.py").write_bytes(b"\xff\xfe\x00")
    (inside / "link.py").symlink_to(outside / "task.py")
    (inside / "link").symlink_to(outside)
    (inside / "circle.py").symlink_to(inside / "circle.py")
    return inside


def test_what_is_offered(root: Path) -> None:
    assert task_files(root) == ["deep/er/task.py", "frozen.py"]


def test_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    assert task_files(tmp_path) == [] and task_files(tmp_path / "gone") == []


@pytest.mark.parametrize(
    "name",
    ["../outside/task.py", "link.py", "link/task.py", "/etc/passwd", "notes.txt", "gone.py", "",
     ".", "deep", "task.py\0", "circle.py", "deep/../../outside/task.py"],
)  # fmt: skip
def test_a_path_that_leads_out_is_refused(root: Path, name: str) -> None:
    with pytest.raises(Misuse, match="where the app was started"):
        chosen(root, name)


def test_a_file_below_is_found_by_any_of_its_names(root: Path) -> None:
    wanted = (root / "deep" / "er" / "task.py").resolve()
    assert chosen(root, "deep/er/task.py") == chosen(root, "deep/../deep/er/task.py") == wanted


def test_a_file_is_read_and_never_run(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(TASK + f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert is_task(bad) and task_files(tmp_path) == ["bad.py"]
    assert not (tmp_path / "ran").exists()


def test_a_model_that_describes_pictures_comes_from_below_the_folder_too(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for folder in (root, tmp_path):
        (folder / "my.py").write_text("def build_model(num_classes): ...\n")
    inside = (root / "my.py").resolve()
    assert vetted(root, "task:my.py") == f"task:{inside}"
    assert vetted(root, " task:my.py:best.pt ") == f"task:{inside}:best.pt"
    assert vetted(root, "backbone:resnet18") == "backbone:resnet18"
    for outside in ("task:../my.py", f"task:{tmp_path / 'my.py'}", "task:../my.py:best.pt"):
        with pytest.raises(Misuse, match="below"):
            vetted(root, outside)
