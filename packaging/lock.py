"""Writes packaging/requirements.txt and requirements-test.txt: the exact version of everything that is installed.

Run it with the Python of an environment that has pip, after a dependency in pyproject.toml was changed:

    python packaging/lock.py

pip works out what pyproject.toml's bounds come to today; nothing is installed. What torch brings for one machine's GPU
alone (CUDA libraries, Triton) is left out: torch names those exactly itself, and other machines have no use for them.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {"requirements.txt": "", "requirements-test.txt": "test"}
OF_ONE_GPU = re.compile(r"nvidia-|cuda-|triton")
ELSEWHERE = {
    "hf-xet": 'platform_machine in "x86_64 amd64 AMD64 arm64 aarch64"',
    "llvmlite": 'platform_machine in "x86_64 AMD64 arm64 aarch64"',
    "numba": 'platform_machine in "x86_64 AMD64 arm64 aarch64"',
}
"""Packages that are not made for every system, with the systems that they are made for."""


def main() -> None:
    run_time: set[str] = set()
    for name, extra in FILES.items():
        pins = resolve(extra) - run_time
        run_time |= pins
        head = [
            f"# Made by packaging/lock.py from pyproject.toml{f', extra {extra!r}' if extra else ''}; not to be edited."
        ]
        (HERE / name).write_text("\n".join(head + sorted(pins, key=str.lower)) + "\n", encoding="utf-8", newline="\n")
        print(f"{name}: {len(pins)} packages")


def resolve(extra: str) -> set[str]:
    """Lines `name==version`, with a marker where a package belongs to some systems only."""
    target = f"{HERE.parent}[{extra}]" if extra else str(HERE.parent)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        quiet = ["--quiet", "--disable-pip-version-check"]
        plan = ["install", "--dry-run", "--ignore-installed", "--report", str(report), target]
        subprocess.run([sys.executable, "-m", "pip", *quiet, *plan], check=True)
        found = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    named = {re.sub(r"[-_.]+", "-", item["name"]).lower(): item["version"].split("+")[0] for item in found}
    named.pop("sculptor-app")
    pins = {f"{name}=={version}" for name, version in named.items() if not OF_ONE_GPU.match(name)}
    return {_with_marker(pin) for pin in pins}


def _with_marker(pin: str) -> str:
    marker = ELSEWHERE.get(pin.split("==")[0])
    return f"{pin}; {marker}" if marker else pin


if __name__ == "__main__":
    main()
