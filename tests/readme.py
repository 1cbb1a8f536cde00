"""Is what README and docs say still what happens? Runs their commands, writes the generated parts.

    python -m tests.readme        rewrites the tables of checks and the printed outputs

Commands are the ```sh blocks of a document, run in order in one folder that holds sample_data/. A
```text or ```json block straight after one is what its last command prints. Between the marks
<!-- checks --> and <!-- /checks --> stands what `checks_table` makes of `recipe checks --json`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.serving import clean_environment, free_port, scan_ended, served

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
MARKED = re.compile(r"(<!-- (checks|thresholds) -->\n).*?(<!-- /\2 -->)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands of a document, and the output that it shows for the last of them.

    shown    None where no output follows
    span     start and end of the output's text in the document
    """

    commands: tuple[str, ...]
    shown: str | None
    span: tuple[int, int]


def documents() -> list[Path]:
    """README and everything in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The command blocks of a document, in order."""
    found = list(BLOCK.finditer(text))
    return [
        Block(
            _commands(m.group(2)), *_output(text, m, found[i + 1] if i + 1 < len(found) else None)
        )
        for i, m in enumerate(found)
        if m.group(1) == "sh"
    ]


def _commands(text: str) -> tuple[str, ...]:
    lines = text.replace("\\\n", " ").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _output(
    text: str, block: re.Match[str], following: re.Match[str] | None
) -> tuple[str | None, tuple[int, int]]:
    if following is None or following.group(1) not in ("text", "json"):
        return None, (0, 0)
    if text[block.end() : following.start()].strip():
        return None, (0, 0)
    return following.group(2), following.span(2)


# -- running ------------------------------------------------------------------------------------


def ran(document: Path, folder: Path) -> Iterator[tuple[Block, str]]:
    """Runs the document's commands in `folder`; yields each block with its last command's output.

    Raises AssertionError where a command fails.
    """
    if not (folder / "sample_data").exists():
        shutil.copytree(ROOT / "sample_data", folder / "sample_data")
        shutil.copytree(ROOT / "docs" / "tasks", folder / "docs" / "tasks")
    with scan_ended(folder):
        for block in blocks(document.read_text(encoding="utf-8")):
            outputs = [run(command, folder) for command in block.commands]
            yield block, outputs[-1] if outputs else ""


def run(command: str, folder: Path) -> str:
    """What the command prints on stdout. Raises AssertionError where it fails."""
    start = next((s for s in SPECIAL if re.match(s, command)), None)
    return SPECIAL[start](command, folder) if start else _shell(command, folder)


def _shell(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=_environment(folder), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return clean_environment(PATH=path, XDG_CACHE_HOME=str(folder / ".cache"), COLUMNS="100")


def _make(command: str, folder: Path) -> str:
    """What make would do; tests/test_packaging.py starts `make app` for real, CI `make test`."""
    words = command.split()
    done = subprocess.run(
        [*words, "-n"], cwd=ROOT, env=_environment(folder), text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    expected = {"app": "recipe app", "test": "pytest", "bench": "benchmarks/run.py"}[words[1]]
    assert expected in done.stdout, done.stdout
    return ""


def _install(command: str, folder: Path) -> str:
    """This folder is the package; tests/test_packaging.py builds and installs it for real."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    match = re.fullmatch(r"pip install [\"']?\.(?:\[(\w+)\])?[\"']?", command)
    assert match, command
    assert match.group(1) is None or match.group(1) in project["optional-dependencies"], command
    return ""


def _app(command: str, folder: Path) -> str:
    """Starts the app on a free port and waits for its page."""
    words = f"{command} --port {free_port()}"
    with served(["sh", "-c", f"exec {words}"], folder, _environment(folder)):
        return ""


SPECIAL: Mapping[str, Callable[[str, Path], str]] = {
    r"make ": _make,
    r"pip install ": _install,
    r"recipe app\b": _app,
}


def comparable(text: str) -> str:
    """The text without what differs between two runs: durations, times, versions, places, wraps."""
    text = re.sub(r"\d+(\.\d+)?(e-?\d+)? ?m?s\b", "N s", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?", "TIME", text)
    text = re.sub(r'"seconds": [\d.e-]+', '"seconds": N', text)
    text = re.sub(r'"versions": \{.*?\}', '"versions": {}', text, flags=re.DOTALL)
    text = re.sub(r'(/[^\s/"]+)+/(?=sample_data)', "", text)
    return " ".join(text.split())


# -- writing ------------------------------------------------------------------------------------


@cache
def checks() -> list[dict[str, Any]]:
    """What `recipe checks --json` prints."""
    listed: list[dict[str, Any]] = json.loads(run("recipe checks --json", ROOT))
    return listed


def checks_table(listed: list[dict[str, Any]]) -> str:
    """One row per check: id, question, thresholds with their defaults."""
    rows = [
        f"| `{c['id']}` | {_cell(c['question'])} | "
        + ", ".join(f"`{s['name']}` {_value(s['default'])}" for s in c["thresholds"])
        + " |"
        for c in listed
    ]
    return "\n".join(["| check | question | thresholds |", "|---|---|---|", *rows]) + "\n"


def thresholds_text(listed: list[dict[str, Any]]) -> str:
    """A section per check: why it matters, and every threshold with range and reason."""
    return "\n".join(_section(c) for c in listed)


def _section(c: dict[str, Any]) -> str:
    head = f"## {c['id']}\n**{c['question']}** {' '.join(c['why'].split())}\n"
    if not c["thresholds"]:
        return head
    rows = [
        f"| `{s['name']}` | {_value(s['default'])} | {_range(s)} | {_cell(s['why'])} |"
        for s in c["thresholds"]
    ]
    table = ["| threshold | default | range | reason |", "|---|--:|---|---|", *rows]
    return head + "\n" + "\n".join(table) + "\n"


def _range(s: dict[str, Any]) -> str:
    if s["choices"]:
        return ", ".join(s["choices"])
    if isinstance(s["default"], bool):
        return "true, false"
    return f"{_value(s['low'])} … {_value(s['high'])}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def with_tables(text: str, listed: list[dict[str, Any]]) -> str:
    """The document with what stands between its marks made anew."""
    make = {"checks": checks_table, "thresholds": thresholds_text}
    return MARKED.sub(lambda m: m.group(1) + make[m.group(2)](listed) + m.group(3), text)


def with_outputs(text: str, outputs: list[tuple[Block, str]]) -> str:
    """The document with what its commands print now."""
    for block, output in reversed(outputs):
        if block.shown is not None:
            start, end = block.span
            text = text[:start] + output.rstrip() + "\n" + text[end:]
    return text


def _placed(output: str, folder: str) -> str:
    return output.replace(f"{Path(folder).resolve()}/", "/home/ada/")


def main() -> None:
    """Rewrites the generated parts of every document."""
    listed = checks()
    for document in documents():
        text = with_tables(document.read_text(encoding="utf-8"), listed)
        document.write_text(text, encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            outputs = [(b, _placed(said, folder)) for b, said in ran(document, Path(folder))]
        document.write_text(with_outputs(text, outputs), encoding="utf-8")


if __name__ == "__main__":
    main()
