"""Does everything that README and docs show happen as they say?"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from recipe_core import recipe
from recipe_core.kernel.check import Check, judged
from tests import readme
from tests.planted.plant import Plant
from tests.readme import ROOT, blocks, comparable, documents, run, with_tables


@pytest.mark.slow
@pytest.mark.parametrize("document", documents(), ids=lambda p: p.name)
def test_commands_run_and_print_what_is_shown(document: Path, tmp_path: Path) -> None:
    for block, output in readme.ran(document, tmp_path):
        if block.shown is not None:
            assert comparable(output) == comparable(block.shown), (
                f"{block.commands[-1]} prints something else now: run python -m tests.readme"
            )


@pytest.mark.parametrize("document", documents(), ids=lambda p: p.name)
def test_the_generated_tables_are_those_of_the_checks(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert text == with_tables(text, readme.checks()), "run python -m tests.readme"


@pytest.mark.parametrize("document", documents(), ids=lambda p: p.name)
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [t for t in targets if not t.startswith(("http://", "https://"))]
    assert [t for t in local if not (document.parent / t).exists()] == []


def test_readme_shows_every_command_of_the_cli() -> None:
    said = run("recipe --help", ROOT)
    commands = re.findall(r"^    (\w+)  ", said, re.MULTILINE)
    assert "scan" in commands
    shown = "\n".join(c for b in blocks(_readme()) for c in b.commands)
    assert [c for c in commands if f"recipe {c}" not in shown] == []


def test_readme_shows_the_two_set_up_commands() -> None:
    shown = [c for b in blocks(_readme()) for c in b.commands]
    assert {"make app", "make test"} <= set(shown)


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


# -- the reader itself --------------------------------------------------------------------------

DOCUMENT = """
```sh
# a comment
echo one \\
    two
printf 'took 1.5 s'
```
```text
took 0.2 s
```
Words between.
```sh
true
```
Words that part it from
```text
this
```
"""


def test_blocks_are_read_with_their_outputs() -> None:
    first, second = blocks(DOCUMENT)
    assert first.commands == ("echo one      two", "printf 'took 1.5 s'")
    assert first.shown == "took 0.2 s\n"
    assert second.shown is None


def test_a_wrong_output_a_failing_command_and_a_foreign_package_are_noticed(tmp_path: Path) -> None:
    assert comparable("took 1.5 s") == comparable("took   0.2 s")
    assert comparable("12 pictures") != comparable("13 pictures")
    assert run("echo one    two", tmp_path) == "one two\n"
    for wrong in ("exit 3", "pip install another", "make nonsense"):
        with pytest.raises(AssertionError):
            run(wrong, tmp_path)


def test_outputs_are_written_back_where_they_stand() -> None:
    written = readme.with_outputs(DOCUMENT, [(b, "took 9 s\n") for b in blocks(DOCUMENT)])
    assert written == DOCUMENT.replace("took 0.2 s", "took 9 s")


# -- the example of adding_a_check.md -----------------------------------------------------------


def test_the_example_check_catches_its_planted_fault(tmp_path: Path) -> None:
    check, plants = _example(tmp_path)
    for plant in plants:
        for name, write in (("fault", plant.fault), ("healthy", plant.healthy)):
            (tmp_path / name).mkdir()
            write(tmp_path / name)
            recipe.scan(
                tmp_path / name, tmp_path / f"{name}.recipe", engine="here",
                check_ids=["class_balance"],
            )  # fmt: skip
        fault = judged(check, recipe.evidence(tmp_path / "fault.recipe"))
        healthy = judged(check, recipe.evidence(tmp_path / "healthy.recipe"))
        paths = recipe.evidence(tmp_path / "fault.recipe").texts("path")
        assert fault.verdict in plant.verdicts, fault.summary
        assert frozenset(paths[row] for row in fault.subjects.rows) == plant.subjects
        assert healthy.verdict == "pass", healthy.summary


def _example(folder: Path) -> tuple[Check, tuple[Plant, ...]]:
    """The document's two files, as modules."""
    text = (ROOT / "docs" / "adding_a_check.md").read_text(encoding="utf-8")
    pieces = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    modules = []
    for name, code in zip(("too_small", "plant_too_small"), pieces, strict=True):
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        modules.append(module)
    return modules[0].CHECK, modules[1].PLANTS
