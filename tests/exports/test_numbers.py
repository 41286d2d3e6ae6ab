"""Tables and stills."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.core.trajectory.levels import UNKNOWN
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports import files
from sculptor_app.exports.animation.caption import headings
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.numbers import COLUMNS, GRID_COLUMNS, read_csv, write_csv, write_parquet
from sculptor_app.exports.settings import read_settings
from sculptor_app.exports.stills import write_png
from sculptor_app.measures.forward import ForwardMeasures, emerging_steps
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import picture
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.measures.spectrum import BANDS
from tests.helpers.grids import painted_grid
from tests.helpers.runs import made_run, solid


def rows_of(path: Path) -> list[dict[str, str]]:
    return read_csv(path)[1]


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
    contents = [name for name in COLUMNS if " correlation " in name]
    assert [float(row[name]) for name in contents] == pytest.approx(measures.correlations()[12], rel=1e-6)
    assert [rows[50][name] for name in contents] == ["1"] * 4


def test_what_is_not_there_is_an_empty_cell(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", made_run(steps=2, size=8, guesses=False))
    rows = rows_of(tmp_path / "x.csv")
    assert all(row[name] == "" for row in rows for name in COLUMNS if name.startswith("guess") or "polish" in name)
    assert rows[0]["phase"] == rows[0]["time (ms)"] == ""
    made_with_others = made_run(steps=2, size=8)
    made_with_others._summaries[:] = [replace(step, duration_s=0.0) for step in made_with_others._summaries]
    write_csv(tmp_path / "y.csv", made_with_others)
    assert [row["time (ms)"] for row in rows_of(tmp_path / "y.csv")] == ["", "", ""]
    assert rows[0]["noisy coarse power (1-2 cycles/image along its longer side, white noise = 1)"] != ""


def test_columns_name_their_units() -> None:
    assert all("(" in name for name in COLUMNS if name not in ("step", "phase", "timestep"))
    assert len(COLUMNS) == 6 + 8 + 2 + 1 + 4 + 3


def described(**changes: Any) -> Any:
    """A run whose info has these values, and the request's further ones."""
    run = made_run(steps=4, size=8)
    of_request = {name: changes.pop(name) for name in list(changes) if name in RunRequest.__dataclass_fields__}
    run.info = replace(run.info, request=replace(run.info.request, **of_request), **changes)
    return run


def test_table_says_what_it_is_of(tmp_path: Path) -> None:
    run = described(
        model="/home/somebody/models/atelier", weights_hash="ab" * 32, guidance=3.5, seed=11, app_version="9.9",
        options={"prompt": "/imagine a lion", "image": "/home/somebody/cat.png", "height": 64},
        sampler_settings={"_class_name": "DDIMScheduler", "lambda_min": -math.inf, "_secret": 1, "betas": np.ones(2)},
        libraries={"diffusers": "0.42.1", "torch": "2.13.0"},
    )  # fmt: skip
    measures = RunMeasures.of(run)
    write_csv(tmp_path / "x.csv", run, measures)
    header, rows = read_csv(tmp_path / "x.csv")
    assert "somebody" not in (tmp_path / "x.csv").read_text("utf-8")
    expected = {
        "version": "9.9", "model": "made", "model hash": "ab" * 32, "seed": 11, "sampler": "ddim", "guidance": 3.5,
        "sampler settings": {"_class_name": "DDIMScheduler", "lambda_min": "-inf", "betas": [1.0, 1.0]},
        "labels": {"form": "bust", "material": "bronze"}, "window": "hann", "space": "pixels", "width": 8, "height": 8,
        "options": {"prompt": "/imagine a lion", "image": "cat.png", "height": 64},
        "libraries": {"diffusers": "0.42.1", "torch": "2.13.0"}, "planned steps": 4, "steps taken": 4,
    }  # fmt: skip
    assert {key: header[key] for key in expected} == expected
    assert tuple(header["columns"]) == COLUMNS == tuple(rows[0])
    assert all(header["columns"].values()), "every column has a unit"
    for rule in ("content", "energy"):
        settled = dict(zip([band.name for band in BANDS], measures.settled(rule), strict=True))
        assert header[f"settled by {rule} (step)"] == settled


@pytest.mark.parametrize(("space", "word"), [("latents", "each channel"), ("pixels (decoded)", "luminance")])
def test_table_names_the_space(tmp_path: Path, space: str, word: str) -> None:
    write_csv(tmp_path / "x.csv", described(space=space))
    header, _ = read_csv(tmp_path / "x.csv")
    assert (header["space"], word in header["power of"]) == (space, True)


def test_table_of_many_runs_says_what_each_is_of(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", painted_grid())
    header, rows = read_csv(tmp_path / "x.csv")
    assert [(run["run"], run["seed"], len(run["strokes"])) for run in header["runs"]] == [
        (1, 3, 0), (2, 4, 0), (3, 3, 1), (4, 4, 1)
    ]  # fmt: skip
    assert tuple(header["columns"]) == GRID_COLUMNS == tuple(rows[0])
    assert "seed" not in header, "that of one run is not that of all"


def test_a_forward_process_names_no_model(tmp_path: Path) -> None:
    trajectory = run_forward_process(solid(16), "holiday.jpg", steps=4)
    write_csv(tmp_path / "x.csv", trajectory, ForwardMeasures.of(trajectory))
    header, _ = read_csv(tmp_path / "x.csv")
    assert header["origin"].startswith("holiday.jpg")
    assert not {"model", "sampler", "guidance", "labels"} & set(header)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text='a lion,\n"of" # marble: {}\r\n,"x\x85\u2028\ud800\t\\')
@example(text="/")
@given(text=st.text(st.characters(), max_size=80))
def test_any_prompt_survives(tmp_path: Path, text: str) -> None:
    """Read by our reader, and by any that skips lines with a # and takes the rest for CSV, as pandas and R do."""
    path, run = tmp_path / "x.csv", described(options={"prompt": text}, conditions=text)
    write_csv(path, run)
    header, rows = read_csv(path)
    assert header["options"]["prompt"] == text
    assert header.get("conditions", "") == text
    assert [row["step"] for row in rows] == list("01234")
    lines = path.read_bytes().decode("utf-8").split("\n")
    table = csv.reader(line for line in lines if not line.startswith("#"))
    assert tuple(next(table)) == COLUMNS
    assert len([row for row in table if row]) == 5
    assert all(json.loads(line.partition(": ")[2]) is not None for line in lines if line.startswith("#"))


def test_guidance_norm_is_the_rms_of_the_difference(tmp_path: Path) -> None:
    """The two guesses of the made run differ by a tenth of the picture turned upside down."""
    write_csv(tmp_path / "x.csv", made_run(steps=3, guidance=2.0))
    norms = [row["guidance norm (rms per element)"] for row in rows_of(tmp_path / "x.csv")]
    expected = 0.1 * math.sqrt(float(np.mean(np.square(solid(16), dtype=np.float64))))
    assert norms[0] == ""
    assert [float(norm) for norm in norms[1:]] == pytest.approx([expected] * 3, rel=1e-5)
    write_csv(tmp_path / "y.csv", made_run(steps=3))
    assert all(row["guidance norm (rms per element)"] == "" for row in rows_of(tmp_path / "y.csv"))


def test_table_says_what_is_drowned(tmp_path: Path) -> None:
    trajectory = run_forward_process(solid(64), "x", steps=20)
    write_csv(tmp_path / "x.csv", trajectory, ForwardMeasures.of(trajectory))
    rows = rows_of(tmp_path / "x.csv")
    floor = "noise floor (power, white noise = 1)"
    drowned = [row["drowned bands (of the finished picture)"] for row in rows]
    assert float(rows[0][floor]) == pytest.approx(1, rel=1e-6)
    assert float(rows[9][floor]) == pytest.approx(trajectory.levels[9].noise ** 2, rel=1e-6)
    assert float(rows[20][floor]) == 0
    assert (drowned[0], drowned[20]) == ("coarse medium fine finest", "none")
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
    assert all(row[name] == "" for row in rows for name in COLUMNS if " correlation " in name)
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


def test_what_is_not_known_of_a_level_is_left_empty_and_said_in_the_caption(tmp_path: Path) -> None:
    known = made_run(steps=4, size=32, guesses=False)
    run = Trajectory(known.info, known.state(0), [UNKNOWN] * 5)
    for k in range(1, 5):
        run.append(Step(k, 0, True, math.nan, UNKNOWN, UNKNOWN, known.state(k), None, "No guess.", 0.03))
    write_csv(tmp_path / "x.csv", run)
    row = rows_of(tmp_path / "x.csv")[2]
    unknown = [name for name in COLUMNS if name.startswith(("phase", "timestep", "SNR", "noise floor", "drowned"))]
    assert len(unknown) == 6
    assert all(row[name] == "" for name in unknown)
    assert float(row[next(name for name in COLUMNS if name.startswith("noisy coarse"))]) > 0
    assert headings(run, 2)[0] == "Step 2 of 4  ·  noise level not known"


# Parquet --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [made_run(steps=12, size=16), painted_grid()], ids=["run", "grid"])
def test_a_parquet_table_says_what_the_csv_says(tmp_path: Path, source: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_csv(tmp_path / "x.csv", source)
    write_parquet(tmp_path / "x.parquet", source)
    table = parquet.read_table(tmp_path / "x.parquet")
    header, rows = read_csv(tmp_path / "x.csv")
    columns = header.pop("columns")
    assert json.loads(table.schema.metadata[b"sculptor"]) == header
    assert {field.name: field.metadata[b"unit"].decode() for field in table.schema} == columns
    assert table.num_rows == len(rows)
    for row, told in zip(table.to_pylist(), rows, strict=True):
        assert list(row) == list(told)
        for name, value in row.items():
            if told[name] == "":
                assert value is None
            elif isinstance(value, str):
                assert value == told[name]
            else:
                assert value == float(told[name])
    kinds = {field.name: str(field.type) for field in table.schema}
    assert [kinds[name] for name in ("step", "phase", "time (ms)")] == ["int64", "string", "double"]


def test_parquet_without_its_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "has_parquet", lambda: False)
    with pytest.raises(ExportError, match="needs the Python package pyarrow, which is not here"):
        write_parquet(tmp_path / "x.parquet", made_run())
    assert list(tmp_path.iterdir()) == []
