"""What do all benchmarks say on this machine, today? Prints every table of this folder.

    python benchmarks/run.py [NAME]...        all scripts, or only those named (peers, rescan, …)

Each script is a process of its own with a `main()` that prints one table; one that fails is said
so in its place, and the exit code is 1.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the scripts called `names` (all of them where it is empty); 0 where all went well."""
    scripts = _scripts()
    unknown = sorted(set(names) - set(scripts))
    if unknown:
        print(f"No benchmark called {', '.join(unknown)}. Valid: {', '.join(scripts)}.")
        return 2
    print(f"# Benchmarks, {datetime.date.today().isoformat()}\n\n{_machine()}", flush=True)
    return max([_printed(scripts[name]) for name in names or scripts], default=0)


def _scripts() -> dict[str, Path]:
    found = sorted(HERE.glob("*.py"))
    return {
        p.stem: p for p in found if p.name != "run.py" and "\ndef main(" in p.read_text("utf-8")
    }


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; load before the start "
        f"{os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _printed(script: Path) -> int:
    question = script.read_text(encoding="utf-8").removeprefix('"""').splitlines()[0].strip('"')
    print(f"\n## {script.stem}\n{question}\n", flush=True)
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run([sys.executable, str(script)], env=environment, check=False)
    if done.returncode:
        print(f"\n**{script.name} failed with exit code {done.returncode}.**", flush=True)
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
