"""Tables and stills."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.numbers import COLUMNS, write_csv
from sculptor_app.exports.settings import read_settings
from sculptor_app.exports.stills import write_png
from sculptor_app.measures.forward import ForwardMeasures, emerging_steps
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS
from tests.helpers.runs import made_run, solid


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_table_holds_the_run(tmp_path: Path) -> None:
    trajectory = made_run(steps=50, size=32)
    measures = RunMeasures.of(trajectory)
    write_csv(tmp_path / "x.csv", trajectory, measures)
    rows = rows_of(tmp_path / "x.csv")
    assert len(rows) == 51
    assert tuple(rows[0]) == COLUMNS
    assert [row["phase"] for row in (rows[5], rows[6], rows[15], rows[16], rows[30], rows[31])] == [
        "Big decisions", "Structure", "Structure", "Refinement", "Refinement", "Polish"
    ]  # fmt: skip
    row = rows[12]
    assert float(row["SNR before step (ratio)"]) == pytest.approx(trajectory.before(12).snr, rel=1e-6)
    assert float(row["time (ms)"]) == pytest.approx(30)
    powers = [float(row[name]) for name in COLUMNS if " power " in name]
    expected = [*measures.energies("guess")[12], *measures.energies("state")[12]]
    assert powers == pytest.approx(expected, rel=1e-6)
    assert math.isinf(float(rows[50]["SNR after step (ratio)"]))


def test_what_is_not_there_is_an_empty_cell(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", made_run(steps=2, size=8, guesses=False))
    rows = rows_of(tmp_path / "x.csv")
    assert all(row[name] == "" for row in rows for name in COLUMNS if name.startswith("guess") or "polish" in name)
    assert rows[0]["phase"] == rows[0]["time (ms)"] == ""
    assert rows[0]["noisy layout power (1-2 cycles/image along its longer side, white noise = 1)"] != ""


def test_columns_name_their_units() -> None:
    assert all("(" in name for name in COLUMNS if name not in ("step", "phase", "timestep"))
    assert len(COLUMNS) == 6 + 8 + 2


def test_table_says_what_is_drowned(tmp_path: Path) -> None:
    trajectory = run_forward_process(solid(64), "x", steps=20)
    write_csv(tmp_path / "x.csv", trajectory, ForwardMeasures.of(trajectory))
    rows = rows_of(tmp_path / "x.csv")
    floor = "noise floor (power, white noise = 1)"
    drowned = [row["drowned bands (of the finished picture)"] for row in rows]
    assert float(rows[0][floor]) == pytest.approx(1, rel=1e-6)
    assert float(rows[9][floor]) == pytest.approx(trajectory.levels[9].noise ** 2, rel=1e-6)
    assert float(rows[20][floor]) == 0
    assert (drowned[0], drowned[20]) == ("layout structure detail polish", "none")
    assert [len(words.split()) for words in drowned[:20]] == sorted((len(words.split()) for words in drowned[:20]),
                                                                    reverse=True)  # fmt: skip
    steps = emerging_steps(RunMeasures.of(trajectory).spectrum("guess", 20), trajectory.levels)
    for band, step in zip(BANDS, steps, strict=True):
        assert (band.name in drowned[step - 1].split(), band.name in drowned[step].split()) == (True, False)
    assert rows[3]["timestep"] == rows[3]["time (ms)"] == ""


def test_what_is_drowned_is_not_known_in_mid_run(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", made_run(steps=6, taken=3))
    rows = rows_of(tmp_path / "x.csv")
    assert all(row["drowned bands (of the finished picture)"] == "" for row in rows)
    assert float(rows[2]["noise floor (power, white noise = 1)"]) > 0


@pytest.mark.parametrize(("frames", "kind"), [("noisy", FrameKind.NOISY_STATE), ("guess", FrameKind.CURRENT_GUESS)])
def test_still_is_crisp_and_carries_its_settings(tmp_path: Path, frames: str, kind: FrameKind) -> None:
    trajectory, path = made_run(steps=4), tmp_path / "x.png"
    write_png(path, trajectory, 3, AnimationOptions(frames=frames, size_px=70))
    with Image.open(path) as image:
        shown = np.asarray(image)
    np.testing.assert_array_equal(shown, picture(trajectory, 3, kind).rgb.repeat(4, 0).repeat(4, 1))
    assert read_settings(path)["export"]["state"] == 3


def test_both_stand_side_by_side(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", made_run(), 2, AnimationOptions(frames="both", size_px=32))
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (72, 32)


def test_no_still_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No rule is known"):
        write_png(tmp_path / "x.png", made_run(guesses=False), 2, AnimationOptions())
    assert list(tmp_path.iterdir()) == []
