"""What processes that were killed leave behind goes with the next write beside it; what others need stays."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sculptor_app.core import files
from sculptor_app.core.files import atomic_file, temporary_folder
from sculptor_app.diffusion.models.sandbox import FOLDER_PREFIX
from sculptor_app.training.records.run_folder import locked_folder

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, time
from pathlib import Path
from sculptor_app.core.files import atomic_file, temporary_folder
from sculptor_app.training.records.run_folder import locked_folder
with temporary_folder("sculptor-test-") as place, atomic_file(Path(sys.argv[1])) as file:
    (place / "held").mkdir()
    (place / "held" / "x").touch()
    file.write(b"half")
    print("writing", flush=True)
    time.sleep(600)
"""
FOREIGN = (".x.part", ".x.gif.12345678.part", "x.sculptor-12345678.part", ".x.sculptor-12345678.part.bak")


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another process that writes beside, with its file and folder half made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "out").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WRITER, str(tmp_path / "out" / "other.gif")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


def write_both(out: Path) -> None:
    with atomic_file(out / "mine.gif") as file, temporary_folder("sculptor-test-") as place:
        assert place.is_dir()
        file.write(b"whole")


def test_leftovers_of_the_killed_go_and_what_lives_or_is_foreign_stays(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    out, tmp = tmp_path / "out", tmp_path / "tmp"
    for name in FOREIGN:
        (out / name).touch()
    (out / ".y.sculptor-12345678.part").symlink_to(out / FOREIGN[0])
    (tmp / "sculptor-test-of-somebody").mkdir()
    kept = {*FOREIGN, ".y.sculptor-12345678.part"}
    (half,) = (each.name for each in out.iterdir() if each.name.startswith(".other.gif.sculptor-"))
    write_both(out)
    assert {each.name for each in out.iterdir()} == kept | {half, "mine.gif"}
    assert len(list(tmp.iterdir())) == 2
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    write_both(out)
    assert {each.name for each in out.iterdir()} == kept | {"mine.gif"}
    assert [each.name for each in tmp.iterdir()] == ["sculptor-test-of-somebody"]
    assert (out / "mine.gif").read_bytes() == b"whole"


def test_a_folder_without_its_lock_goes_once_it_cannot_be_in_the_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert FOLDER_PREFIX in files.TEMPORARY
    for prefix in (*files.TEMPORARY, "sculptor-app-"):
        for name in ("old", "new", "newer"):
            (tmp_path / f"{prefix}{name}").mkdir()
        (tmp_path / f"{prefix}old" / "x").mkdir()
        os.utime(tmp_path / f"{prefix}old", (1, 1))
    (tmp_path / "sculptor-pasted-link").symlink_to("sculptor-app-old", target_is_directory=True)
    monkeypatch.setattr(files, "SWEEP_S", -1)
    files.sweep_temporary()
    assert len(list(tmp_path.glob("sculptor-*-old"))) == len(files.TEMPORARY) + 1
    monkeypatch.setattr(files, "SWEEP_S", 60)
    files.sweep_temporary()
    assert [each.name for each in tmp_path.glob("sculptor-*-old")] == ["sculptor-app-old"]
    assert len(list(tmp_path.iterdir())) == 2 * (len(files.TEMPORARY) + 1) + 2
    if os.name == "posix":
        os.utime(tmp_path / "sculptor-pasted-new", (1, 1))
        monkeypatch.setattr(os, "getuid", lambda: -1)  # all that is there is another's
        files.sweep_temporary()
        assert (tmp_path / "sculptor-pasted-new").is_dir()


def test_a_run_sweeps_its_folder_once_it_holds_the_lock(tmp_path: Path) -> None:
    swept = ("checkpoint.pt.partial", "growth/row-000000000064.npz.partial", "renders/shard-000000000000.npz.partial")
    foreign = ("thesis.txt.partial", "renders/x.npz.partial")
    for name in (*swept, *foreign):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with locked_folder(tmp_path):
        assert {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*.partial")} == set(foreign)
