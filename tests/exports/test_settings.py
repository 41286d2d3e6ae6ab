"""The settings in exported files say what a run began with."""

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sculptor_app.core.requests.request import Cell, Lora, NoiseRecipe, RunRequest
from sculptor_app.core.trajectory.base import Fork
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation import caption
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import RunGrid
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings, told_conditions
from sculptor_app.exports.stills import write_png
from tests.helpers.runs import made_run


def test_a_run_from_a_picture_keeps_its_whole_request(tmp_path: Path) -> None:
    made = made_run(steps=3)
    info = dataclasses.replace(made.info, origin="bust.jpg", first_step=2)
    late = Trajectory(info, made.state(1), made.levels[1:])
    write_png(tmp_path / "x.png", late, 0, AnimationOptions(frames="noisy"))
    read = read_settings(tmp_path / "x.png")
    assert (read["origin"], read["first_step"]) == ("bust.jpg", 2)
    assert read["request"] == info.request.as_dict()


def test_a_run_of_the_seed_began_at_its_first_step(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", made_run(steps=3), 3, AnimationOptions())
    read = read_settings(tmp_path / "x.png")
    assert (read["origin"], read["first_step"]) == ("", 1)


def test_what_a_model_was_told_and_where_a_run_left_another(tmp_path: Path) -> None:
    made = made_run(steps=3)
    before = RunRequest(steps=3, guidance=None, options={"prompt": "a bust", "strength": 0.5, "clean": True})
    request = dataclasses.replace(before, options={"prompt": "eine Büste"})
    info = dataclasses.replace(made.info, request=request, forks=(Fork(2, before),))
    write_png(tmp_path / "x.png", Trajectory(info, made.state(0), made.levels), 0, AnimationOptions(frames="noisy"))
    read = read_settings(tmp_path / "x.png")
    assert RunRequest(**read["request"]) == request
    assert [(each["step"], RunRequest(**each["request"])) for each in read["forks"]] == [(2, before)]


def test_captions_call_a_noised_picture_so() -> None:
    made = made_run(steps=4)
    late = Trajectory(dataclasses.replace(made.info, first_step=3), made.state(2), made.levels[2:])
    assert caption.headings(made, 0)[0].startswith("Step 0 of 4")
    assert "Pure noise" in caption.headings(made, 0)[0]
    assert "Noised picture" in caption.headings(late, 0)[0]


# What files tell of a person ------------------------------------------------------------------------------------------

HOME, PROMPT, TOKEN = "/home/ada", "ein Löwe für Ada", "hf_" + "aB3" * 11
OPTIONS = {
    "prompt": f"{PROMPT} https://ada:pw@h.example/x?key=1", "negative_prompt": f"no {TOKEN}",
    "image": f"{HOME}/pictures/holiday.jpg", "mask_image": "pictures/mask.png", "strength": 0.5,
    "ip_adapter_image": r"C:\Users\ada\face.png", "control_image": "~/poses/pose.png",
}  # fmt: skip
PATHS = (HOME, "pictures/", "Users", "poses/")
NAMES = ("holiday.jpg", "mask.png", "face.png", "pose.png")
ALWAYS = ("sd15", "abc123", "marble.safetensors")  # the model's name and hash, and a LoRA's name
SECRETS = ("ada:pw", "key=1", TOKEN)


def told_run(**changes: object) -> Trajectory:
    """A run that was told all of this, and left another one that was."""
    request = RunRequest(
        steps=3, model=f"{HOME}/models/sd15", options=OPTIONS, loras=(Lora(f"{HOME}/loras/marble.safetensors"),)
    )
    run = made_run(steps=3)
    run.info = dataclasses.replace(
        run.info, request=request, model_name="sd15", weights_hash="abc123", conditions=PROMPT,
        forks=(Fork(1, request),), origin="holiday.jpg", **changes,
    )  # fmt: skip
    return run


def told_grid() -> RunGrid:
    return RunGrid((told_run(), told_run()), (Cell(NoiseRecipe(7)), Cell(NoiseRecipe(8))))


def text_of(kind: str, path: Path) -> str:
    """All that a file tells in words."""
    if kind == "csv":
        return json.dumps(read_csv(path)[0], ensure_ascii=False)
    if kind == "parquet":
        told = pytest.importorskip("pyarrow.parquet").read_schema(path).metadata[b"sculptor"]
        return json.dumps(json.loads(told), ensure_ascii=False)
    if kind == "sculpt":
        with zipfile.ZipFile(path) as archive:
            return json.dumps(json.loads(archive.read("run.json")), ensure_ascii=False)
    return json.dumps(read_settings(path), ensure_ascii=False)


@pytest.mark.parametrize(
    ("kind", "made"),
    [(kind, made) for kind in FORMATS for made in (told_run, told_grid) if (kind, made) != ("sculpt", told_grid)],
)
@pytest.mark.parametrize("disclosure", Disclosure)
def test_what_a_file_tells_of_prompts_and_paths(
    disclosure: Disclosure, kind: str, made: Callable[[], Trajectory | RunGrid], tmp_path: Path
) -> None:
    path = tmp_path / f"x.{kind}"
    options = AnimationOptions(frames="noisy", caption=True)
    FORMATS[kind].write(path, Export(made(), options, 0, disclosure=disclosure))
    told = text_of(kind, path).replace("\\\\", "\\")
    assert [word for word in SECRETS if word in told] == []
    assert [word for word in PATHS if word in told] == (list(PATHS) if disclosure is Disclosure.PATHS else [])
    assert [word for word in NAMES if word in told] == ([] if disclosure is Disclosure.PRIVATE else list(NAMES))
    assert (PROMPT in told) == (disclosure is not Disclosure.PRIVATE)
    assert [word for word in ALWAYS if word in told] == list(ALWAYS)
    assert "0.5" in told  # the strength


def test_usually_a_file_tells_prompts_and_names_and_no_path(tmp_path: Path) -> None:
    assert Export(told_run()).disclosure is Disclosure.NAMES
    write_png(tmp_path / "x.png", told_run(), 3, AnimationOptions())
    assert HOME.encode() not in (tmp_path / "x.png").read_bytes()
    assert read_settings(tmp_path / "x.png")["request"]["model"] == "sd15"


def test_labels_are_no_prompt() -> None:
    run = made_run(steps=3)
    assert told_conditions(run.info, Disclosure.PRIVATE) == "bust · bronze"
