"""In which order do the tests run? The longest files first: no core waits for the last."""

from __future__ import annotations

import pytest

LONGEST = (
    "test_tasks.py", "test_readme.py", "test_packaging.py", "test_walk.py", "test_executors.py",
    "test_docs_tasks.py", "test_team.py", "test_command.py", "test_checks.py", "test_survey.py",
    "test_bench_process.py", "test_embedded.py", "test_corruption.py", "test_browse.py",
    "test_training.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
