"""Every file of a folder, opened as a picture: how they end, the worst time and memory, and whatever nobody expected.

    python -m tests.soak.pictures FOLDER ... [--limit N] [--shuffle SEED] [--memory-limit MB] [--alone]

Each process opens many, one after another, as the window does; `--alone` gives every file a process of its own, and
what opens must be the same. Nothing but a picture or one sentence may come of any file, and nothing may be written to
the terminal. The exit code is 1 if anything was unexpected.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BATCH = 200  # files that one process opens
SIZE_PX = 512
SLOW_S = 20.0
EXPECTED_MB = 1_100  # a gigabyte, and what Python and its libraries take


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, help="files at most")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="in a random order")
    parser.add_argument("--alone", action="store_true", help="each file in a process of its own")
    parser.add_argument("--suffixes", nargs="*", help="only files of these endings, as png")
    parser.add_argument("--endings", type=Path, help="write every file's ending into this file")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return _work(sys.stdin.read().splitlines())
    files = sorted(path for folder in arguments.folders for path in folder.rglob("*") if path.is_file())
    if arguments.suffixes:
        files = [path for path in files if path.suffix.lower().lstrip(".") in arguments.suffixes]
    if arguments.shuffle is not None:
        random.Random(arguments.shuffle).shuffle(files)
    files = files[: arguments.limit]
    endings = list(_endings(files, 1 if arguments.alone else BATCH))
    if arguments.endings:
        arguments.endings.write_text("".join(f"{each['path']}\t{each['ending']}\n" for each in sorted(
            endings, key=lambda each: each["path"])))  # fmt: skip
    return _report(endings)


def _endings(files: list[Path], batch: int) -> Iterator[dict[str, Any]]:
    """What became of every file; a process that ends early names the file that it died of."""
    while files:
        group, files = files[:batch], files[batch:]
        done = subprocess.run(
            [sys.executable, "-m", "tests.soak.pictures", "--worker", "-"], check=False, capture_output=True,
            input="\n".join(map(str, group)), text=True, errors="replace",
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        yield from lines
        if done.stderr:
            yield {"path": str(group[0]), "ending": f"on the terminal: {done.stderr[:300]!r}", "unexpected": True}
        if len(lines) < len(group):
            died = str(group[len(lines)])
            yield {"path": died, "ending": f"the process ended with {done.returncode}", "unexpected": True}
            files = group[len(lines) + 1 :] + files


def _work(paths: list[str]) -> int:
    from sculptor_app.core.errors import PictureError
    from sculptor_app.core.pictures.file import open_picture

    for path in paths:
        reset_peak()
        begun, unexpected = time.perf_counter(), False
        try:
            opened = open_picture(Path(path), longest_px=SIZE_PX)
            ending = "opened" + "".join(f", {note.split(':')[0]}" for note in opened.notes if "from" not in note)
        except PictureError as error:
            ending = error.message.split("cannot be opened: ")[-1]
        except BaseException as error:
            ending, unexpected = f"{type(error).__name__}: {error}", True
        seconds = time.perf_counter() - begun
        memory = peak_mb()
        unexpected = unexpected or seconds > SLOW_S or memory > EXPECTED_MB
        sys.stdout.write(json.dumps({"path": path, "ending": ending, "seconds": seconds, "memory_mb": memory,
                                     "unexpected": unexpected}) + "\n")  # fmt: skip
        sys.stdout.flush()
    return os.EX_OK


def reset_peak() -> None:
    """Forget this process's peak memory, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> int:
    """Peak memory of this process since `reset_peak`, or since its start."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _report(endings: list[dict[str, Any]]) -> int:
    counts = collections.Counter(each["ending"] for each in endings)
    for ending, count in counts.most_common():
        print(f"{count:6,}  {ending}")
    timed = [each for each in endings if "seconds" in each]
    if timed:
        slowest, largest = (max(timed, key=lambda each: each[key]) for key in ("seconds", "memory_mb"))
        total = sum(each["seconds"] for each in timed)
        print(f"{len(timed):,} files in {total:.0f} s; slowest {slowest['seconds']:.2f} s: {slowest['path']}")
        print(f"peak memory {largest['memory_mb']:,} MB: {largest['path']}")
    unexpected = [each for each in endings if each["unexpected"]]
    print(f"{len(unexpected)} unexpected")
    for each in unexpected:
        print(f"  {each['path']}: {each['ending']} ({each.get('seconds', 0):.1f} s, {each.get('memory_mb', 0)} MB)")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
