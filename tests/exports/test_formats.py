"""The table of export formats: every row writes what its ending says, of a run and of a grid."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sculptor_app.cli import make_parser
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.exports.animation.options import PRESETS, AnimationOptions
from sculptor_app.exports.animation.plan import RunGrid
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.formats import FORMATS, Export, ExportFormat, picture_format, picture_formats
from sculptor_app.exports.settings import read_settings
from tests.helpers.grids import made_grid
from tests.helpers.runs import made_run
from tests.training.tiny import no_file_larger_than


@pytest.mark.parametrize("source", [made_run(steps=3), made_grid(2, 3)], ids=["run", "grid"])
@pytest.mark.parametrize("row", FORMATS.values(), ids=FORMATS)
def test_every_format_writes_a_run_and_a_grid(tmp_path: Path, row: ExportFormat, source: object) -> None:
    path = row.named(tmp_path / "x")
    if row.kind == "run" and isinstance(source, RunGrid):
        with pytest.raises(ExportError, match="Many runs cannot be saved as one"):
            row.write(path, Export(source))
        return
    row.write(path, Export(source, AnimationOptions(size_px=32), 2))
    if row.id == "parquet":
        assert path.read_bytes().startswith(b"PAR1")
        return
    if row.kind == "table":
        assert len(path.read_text("utf-8").splitlines()) > 4, "a table has a line for each state"
        return
    if row.kind == "run":
        assert open_run(path).last == 3
        return
    assert read_settings(path)["export"]["size_px"] == 32
    begins = {
        "html": b"<!DOCTYPE html>", "mp4": b"\0\0\0", "webm": b"\x1aE\xdf\xa3", "zip": b"PK", "svg": b"<svg",
        "pdf": b"%PDF",
    }  # fmt: skip
    if row.id in begins:
        assert path.read_bytes().startswith(begins[row.id])
        return
    with Image.open(path) as image:
        assert image.format == {"apng": "PNG"}.get(row.id, row.suffix[1:].upper())
        moves = row.kind == "animation" and not row.is_page
        assert getattr(image, "n_frames", 1) == (3 if moves else 1)


def test_an_ending_names_its_format() -> None:
    assert [picture_format(Path(f"x{row.suffix.upper()}")) for row in picture_formats()] == list(picture_formats())
    assert picture_format(Path("x.csv")) is picture_format(Path("x.sculpt")) is picture_format(Path("gif")) is None
    gif = FORMATS["gif"]
    assert [gif.named(Path(name)).name for name in ("a", "a.png", "a.GIF")] == ["a.gif", "a.png.gif", "a.GIF"]


@pytest.mark.parametrize("name", ["/", ".", "..", "folder", "folder/.."])
def test_a_folder_gets_no_ending(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=r"is a folder\. Add a file name\."):
        FORMATS["gif"].named(Path(name))


@pytest.mark.parametrize("command", ["sculpt", "resculpt", "invert", "forward", "export"])
def test_commands_offer_every_format_that_shows_a_picture(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())  # wherever the lines are broken
    assert all(f"x{row.suffix}" in shown for row in picture_formats())


def test_the_table_is_read_without_numpy_and_pillow() -> None:
    program = "import sys, sculptor_app.exports.formats; sys.exit(bool({'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limit")
@pytest.mark.parametrize("row", FORMATS.values(), ids=FORMATS)
def test_a_disk_that_takes_no_more_is_one_sentence_and_the_old_file_stays(tmp_path: Path, row: ExportFormat) -> None:
    path = row.named(tmp_path / "x")
    path.write_bytes(b"old")
    export = Export(made_run(steps=20, size=64, fresh_noise=True), AnimationOptions(), 20)
    with no_file_larger_than(3_000), pytest.raises(ExportError, match=r"x\.\w+ could not be written .File too large"):
        row.write(path, export)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["gif", "png", "html", "svg", "mp4", "zip"])
def test_guess_noisy_state_and_chips_stand_side_by_side(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    FORMATS[kind].write(path, Export(made_run(steps=4, size=32), AnimationOptions(frames="three", size_px=64), 3))
    assert read_settings(path)["export"]["frames"] == "three"
    if kind in ("gif", "png"):
        with Image.open(path) as image:
            assert image.width > 3 * 64


def test_a_preset_is_allowed_as_it_stands() -> None:
    for word, (name, options) in PRESETS.items():
        assert AnimationOptions(**options).frames == options["frames"], word
        assert name
