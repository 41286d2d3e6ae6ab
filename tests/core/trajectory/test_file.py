"""Saved runs: what is read is what was recorded, bit for bit, and whatever is no such file is refused in a sentence."""

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled, SculptorError, TrajectoryFileError
from sculptor_app.core.requests.request import Lora, Parting, RunRequest
from sculptor_app.core.trajectory.archive import Source
from sculptor_app.core.trajectory.base import AnyTrajectory, Fork, RunInfo
from sculptor_app.core.trajectory.file import SCHEMA, SavedTrajectory, open_run, write_run
from sculptor_app.core.trajectory.forward import run_forward_process
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.levels import UNKNOWN, NoiseLevel
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import DecodedTrajectory, Trajectory
from sculptor_app.measures.run_measures import RunMeasures
from tests.helpers.runs import made_run, solid

FIXTURE = Path(__file__).with_name("schema_1.sculpt")
FRAMES = ("state", "guess", "guess_unconditional", "guess_conditional", "returned")


def content_of(trajectory: AnyTrajectory, **options: Any) -> bytes:
    file = io.BytesIO()
    write_run(file, trajectory, **options)
    return file.getvalue()


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "run.sculpt"
    path.write_bytes(content)
    return path


def reopened(folder: Path, trajectory: AnyTrajectory, **options: Any) -> SavedTrajectory:
    return open_run(saved(folder, content_of(trajectory, **options)))


def frames_of(trajectory: AnyTrajectory) -> list[bytes | None]:
    frames = [getattr(trajectory, name)(k) for k in range(trajectory.last + 1) for name in FRAMES]
    frames += [trajectory.start_picture(), trajectory.start_noise()]
    return [None if frame is None else frame.tobytes() for frame in frames]


def assert_same(read: AnyTrajectory, written: AnyTrajectory) -> None:
    assert (read.last, read.shape, read.ended) == (written.last, written.shape, written.ended)
    assert [(each.signal, each.noise) for each in read.levels if each.is_known] == [
        (each.signal, each.noise) for each in written.levels if each.is_known
    ]
    assert (len(read.levels), read.spans) == (len(written.levels), written.spans)
    assert replace(read.info, latent_map=None) == replace(written.info, latent_map=None)
    assert read.info.title == written.info.title
    for k in range(1, written.last + 1):
        assert repr(read.step(k)) == repr(written.step(k))
    assert frames_of(read) == frames_of(written)


def rich_run(tmp_path: Path | None = None) -> Trajectory:
    """A run with everything that one can have: late start, unknown levels, changed states, odd numbers, long words."""
    request = RunRequest(
        None, None, 3, 9, "ddim", None, "cpu", "owner/name", {"prompt": "ein Löwe\naus „Marmor“ 🦁", "height": 512},
        (Lora("marble.safetensors", 0.8, "ab" * 32),),
    )  # fmt: skip
    generator = np.random.default_rng(3)
    weights = generator.standard_normal((3, 4, 3, 3)).astype(np.float32)
    info = RunInfo(
        request, "name", "NVIDIA H200", "DDIM", "latents", "a lion", app_version="1.2", origin="bust.jpg", first_step=4,
        latent_map=LatentMap(weights, weights[:, 0, 0, 0].copy(), (0.9, 0.8, -1.5), 0.85, 40, 8),
        note="It works in stages.", forks=(Fork(2, replace(request, seed=8)),), decoder_factor=8,
        weights_hash="cd" * 32,
        sampler_settings={"lambda_min_clipped": -np.inf, "trained_betas": None, "beta_end": 0.012, "steps": [1, 2],
                          "_class_name": "DDIMScheduler", "clip_sample": False},
        libraries={"torch": "2.13.0"},
    )  # fmt: skip
    levels = [NoiseLevel(0.1, 1.0), NoiseLevel(1 / 3, 0.9), UNKNOWN, NoiseLevel(1.0, 14.6), NoiseLevel(1.0, 0.0)]
    shape = (4, 6, 10)

    def frame() -> np.ndarray:
        return (generator.standard_normal(shape) * 10.0 ** generator.integers(-30, 30)).astype(np.float32)

    start = np.full(shape, -0.0, np.float32)
    run = Trajectory(info, start, levels, 3 * start.nbytes if tmp_path else 10**9, tmp_path)
    for k in range(1, 4):
        has = k != 2
        for stage in range(2):
            run.append(
                Step(
                    k, stage, stage == 1, 500.25 / k, levels[k - 1], levels[k], frame(), frame() if has else None,
                    "" if has else "No rule is known.", 0.1 * k, frame() if has else None, frame() if has else None,
                    7.5 if has else None, "" if has else "Not known.", frame() if k == 3 else None,
                )
            )  # fmt: skip
    run.end("failed: The GPU is full.")
    return run


@pytest.mark.parametrize(
    "run",
    [
        made_run(),
        made_run(channels=4, space="latents"),
        made_run(guesses=False),
        made_run(guidance=3.0),
        made_run(taken=3),
        made_run(taken=0),
        rich_run(),
        run_forward_process(solid(8), "bust.jpg", steps=4, fresh=True),
    ],
    ids=["pixels", "latents", "no guesses", "guidance", "stopped", "begun", "everything", "forward"],
)
def test_what_is_read_is_what_was_recorded(tmp_path: Path, run: AnyTrajectory) -> None:
    assert_same(reopened(tmp_path, run), run)


def test_a_seed_that_nobody_knew_is_not_known_afterwards(tmp_path: Path) -> None:
    run = made_run()
    run.info = replace(run.info, has_seed=False)
    assert_same(reopened(tmp_path, run), run)


def test_a_run_whose_frames_are_on_the_disk(tmp_path: Path) -> None:
    run = rich_run(tmp_path)
    assert run.bytes_on_disk > 0
    read = reopened(tmp_path, run)
    assert_same(read, run)
    assert read.bytes_in_memory == read.bytes_on_disk == 0
    assert read.budget_bytes > 0, "else a session would forget other runs for it"
    first, second = (each.info.latent_map for each in (read, run))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(first.bias, second.bias)
    assert (first.r2, first.r2_overall, first.words) == (second.r2, second.r2_overall, second.words)


def test_a_saved_run_can_be_saved_again(tmp_path: Path) -> None:
    content = content_of(made_run(guidance=3.0))
    assert content_of(open_run(saved(tmp_path, content))) == content


def test_of_a_decoded_run_the_latents_are_saved(tmp_path: Path) -> None:
    run = made_run(channels=4, space="latents")
    assert_same(reopened(tmp_path, DecodedTrajectory(run)), run)


def test_its_measures_are_those_of_the_run(tmp_path: Path) -> None:
    run = made_run(guidance=3.0)
    read, own = RunMeasures.of(reopened(tmp_path, run)), RunMeasures.of(run)
    for measured in ("energies", "correlations", "guidance", "distances"):
        arguments = ("guess",) if measured == "energies" else ()
        np.testing.assert_array_equal(getattr(read, measured)(*arguments), getattr(own, measured)(*arguments))
    assert np.isfinite(own.guidance()[2:]).all()


@pytest.mark.parametrize("bent", [0, 1, 5, 8])
def test_of_a_damaged_file_what_comes_before_is_whole(tmp_path: Path, bent: int) -> None:
    run = made_run(guidance=3.0)
    content = bytearray(content_of(run))
    content[content.index(run.guess(bent).tobytes() if bent == 5 else run.state(bent).tobytes()) + 9] ^= 4
    opened = open_run(saved(tmp_path, bytes(content)))
    with pytest.raises(TrajectoryFileError, match=f"step {bent} is not what was saved"):
        opened.check_frames()
    assert opened.whole_steps() == bent - 1
    if bent == 0:
        return
    left = opened.cut(bent - 1)
    left.check_frames()
    assert (left.last, left.planned_steps, left.is_complete) == (bent - 1, 8, False)
    assert frames_of(left) == [*frames_of(run)[: len(FRAMES) * bent], None, None]
    (tmp_path / "again").mkdir()
    again = reopened(tmp_path / "again", left)
    assert (again.last, again.ended) == (bent - 1, f"its file is damaged after step {bent - 1}")
    assert frames_of(again) == frames_of(left)


def test_a_whole_file_is_whole_to_its_end(tmp_path: Path) -> None:
    assert reopened(tmp_path, made_run(taken=3)).whole_steps() == 3


def test_frames_are_read_only_and_outlive_the_file(tmp_path: Path) -> None:
    run = reopened(tmp_path, made_run())
    frame = run.state(2)
    with pytest.raises(ValueError, match="read-only"):
        frame[0, 0, 0] = 1
    with pytest.raises(IndexError):
        run.state(9)
    run.close()
    np.testing.assert_array_equal(frame, made_run().state(2))
    assert run.last == -1
    with pytest.raises(IndexError):
        run.state(2)


def test_a_compact_file_is_half_as_large_and_nearly_the_same(tmp_path: Path) -> None:
    run = made_run(size=64)
    whole, compact = content_of(run), content_of(run, compact=True)
    assert len(compact) < 0.55 * len(whole)
    read = open_run(saved(tmp_path, compact))
    assert read.is_compact
    assert read.state(3).dtype == np.float32
    np.testing.assert_allclose(read.state(3), run.state(3), rtol=1e-3, atol=1e-6)
    large = Trajectory(run.info, np.full((1, 2, 2), 1e5, np.float32), run.levels)
    with pytest.raises(TrajectoryFileError, match="too large for a compact file"):
        content_of(large, compact=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_not_saved(value: float) -> None:
    start = np.zeros((1, 2, 2), np.float32)
    start[0, 1, 1] = value
    with pytest.raises(TrajectoryFileError, match="Step 0 holds what is no number"):
        content_of(Trajectory(made_run().info, start, made_run().levels))


def test_saving_is_stopped_between_frames_and_says_how_far_it_is() -> None:
    stop, told = threading.Event(), []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if done == 5:
            stop.set()

    with pytest.raises(Cancelled):
        content_of(made_run(), stop=stop, progress=progress)
    assert told == [(k, 17) for k in range(1, 6)]


def test_other_programs_take_it_apart(tmp_path: Path) -> None:
    run = made_run()
    path = saved(tmp_path, content_of(run))
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["states"], [run.state(k) for k in range(9)])
        np.testing.assert_array_equal(arrays["guesses"], [run.guess(k) for k in range(1, 9)])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        record = json.loads(archive.read("run.json"))
    assert (record["schema"], record["info"]["request"]["seed"]) == (1, 7)
    assert record["parts"][0]["sha256"][2] == hashlib.sha256(run.state(2).tobytes()).hexdigest()


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("names", [{"start_picture"}, {"start_noise"}, {"start_picture", "start_noise"}])
def test_what_a_run_began_with_is_kept_to_the_last_bit(tmp_path: Path, names: set[str], compact: bool) -> None:
    frames = {"start_picture": solid(16, 3) / np.float32(3), "start_noise": made_run().state(0) / np.float32(7)}
    run = made_run(**{name: frames[name].copy() for name in names})
    content = content_of(run, compact=compact)
    read = open_run(saved(tmp_path, content))
    for name, frame in frames.items():
        found = getattr(read, name)()
        if name in names:
            np.testing.assert_array_equal(found, frame)
            assert not found.flags.writeable
        else:
            assert found is None
    assert (read.schema, read.is_compact, read.whole_steps()) == (2, compact, 8)
    assert read.cut(3).part_bytes.keys() == read.part_bytes.keys()
    place = content.index(frames[min(names)].tobytes())
    damaged_one = open_run(saved(tmp_path, content[:place] + b"\x01\x02\x03" + content[place + 3 :]))
    with pytest.raises(TrajectoryFileError, match="what it began with is not what was saved"):
        damaged_one.check_frames()
    left = damaged_one.cut(damaged_one.whole_steps())
    left.check_frames()
    assert (left.last, left.ended, getattr(left, min(names))()) == (8, "", None)


@pytest.mark.parametrize("change", [{"numbers": [1]}, {"dtype": "<f2"}, {"shape": [2, 3, 16, 16], "numbers": [0, 1]}])
def test_a_beginning_that_is_none_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    content = content_of(made_run(start_picture=solid(16, 3)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = json.loads(members["run.json"])
    record["parts"][-1] |= change
    with zipfile.ZipFile(tmp_path / "x.sculpt", "w") as archive:
        for name, member in (members | {"run.json": json.dumps(record).encode()}).items():
            archive.writestr(name, member)
    refused(tmp_path / "x.sculpt")


def test_a_file_of_more_than_four_gigabytes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has zip's larger directory, which is written here as if so much were two kilobytes."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2_000)
    run = made_run(guidance=3.0)
    content = content_of(run)
    assert b"PK\x06\x06" in content, "the end of a directory in 64 bits"
    assert_same(open_run(saved(tmp_path, content)), run)
    for length in range(len(content) - 400, len(content)):
        refused(saved(tmp_path, content[:length]))


def test_opening_needs_neither_torch_nor_a_model_nor_qt(tmp_path: Path) -> None:
    path = saved(tmp_path, content_of(made_run(guidance=2.0)))
    code = (
        "import sys, pathlib\n"
        "from sculptor_app.core.trajectory.file import open_run\n"
        "run = open_run(pathlib.Path(sys.argv[1])); run.check_frames(); print(run.state(8).sum())\n"
        "print([name for name in ('torch', 'diffusers', 'safetensors', 'PySide6', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_first_frame_does_not_wait_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(steps=100, size=64)
    path, counted = saved(tmp_path, content_of(run)), []
    read_into = Source.read_into

    def counting(source: Source, offset: int, array: np.ndarray) -> None:
        counted.append(array.nbytes)
        read_into(source, offset, array)

    monkeypatch.setattr(Source, "read_into", counting)
    opened = open_run(path)
    assert sum(counted) < 150_000 < path.stat().st_size / 50
    counted.clear()
    opened.state(57)
    assert counted == [3 * 64 * 64 * 4]


# Damage ---------------------------------------------------------------------------------------------------------------

CONTENT = content_of(made_run(steps=3, size=4, guidance=2.0))


def everything(path: Path) -> list[bytes | None]:
    run = open_run(path)
    try:
        RunMeasures.of(run)
        return [repr((run.info, run.levels, [run.step(k) for k in range(1, run.last + 1)])).encode(), *frames_of(run)]
    finally:
        run.close()


def refused(path: Path) -> str:
    with pytest.raises(TrajectoryFileError) as caught:
        everything(path)
    error = caught.value
    assert error.message.endswith(".")
    assert error.advice.endswith(".")
    assert path.name in error.message
    return str(error)


def test_cut_off_anywhere_it_is_refused(tmp_path: Path) -> None:
    for length in [*range(0, len(CONTENT), 97), *range(len(CONTENT) - 120, len(CONTENT))]:
        refused(saved(tmp_path, CONTENT[:length]))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 7)), min_size=1, max_size=4))
def test_with_flipped_bits_it_is_refused_or_the_same(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    """Where bits hold nothing, as in a zip's time of day, nothing is lost."""
    content = bytearray(CONTENT)
    for place, bit in flips:
        content[place] ^= 1 << bit
    whole = everything(saved(tmp_path, CONTENT))
    try:
        read = everything(saved(tmp_path, bytes(content)))
    except TrajectoryFileError:
        return
    assert read == whole


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_whatever_else_it_is_it_is_refused(tmp_path: Path, content: bytes, as_zip: bool) -> None:
    refused(saved(tmp_path, (b"PK\x03\x04" if as_zip else b"") + content))


def rewritten(edit: Any, frames: Any = None) -> bytes:
    """The content with another record, and other members where `frames` makes them."""
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = json.loads(members.pop("run.json"))
    changed = edit(record)
    text = changed if isinstance(changed, bytes) else json.dumps(record).encode()
    if frames is not None:
        members = frames(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**members, "run.json": text}.items():
            archive.writestr(name, content)
    return file.getvalue()


def set_in(*keys: Any, to: Any) -> Any:
    def edit(record: Any) -> None:
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = to

    return edit


NAN = np.full(48, np.nan, "<f4").tobytes()


def with_nan(record: Any) -> None:
    record["parts"][0]["sha256"][0] = hashlib.sha256(NAN).hexdigest()


DAMAGES: dict[str, bytes] = {
    "no record": rewritten(lambda record: b""),
    "a list": rewritten(lambda record: b"[]"),
    "deep": rewritten(lambda record: b"[" * 100_000),
    "a long number": rewritten(lambda record: b"1" * 100_000),
    "no text": rewritten(lambda record: b"\xff\xfe"),
    "constant": rewritten(set_in("steps", 0, "duration_s", to=float("nan"))),
    "infinite": rewritten(lambda record: json.dumps(record).replace("0.03", "1e999").encode()),
    "beyond float": rewritten(lambda record: json.dumps(record).replace("0.03", "1" + "0" * 400).encode()),
    "a name": rewritten(set_in("format", to="x")),
    "schema 0": rewritten(set_in("schema", to=0)),
    "no schema": rewritten(set_in("schema", to=None)),
    "schema of words": rewritten(set_in("schema", to="1")),
    "fewer levels": rewritten(lambda record: record["levels"].pop()),
    "no levels": rewritten(set_in("levels", to=[])),
    "many levels": rewritten(set_in("levels", to=[[1.0, 0.0]] * 30_000)),
    "level below zero": rewritten(set_in("levels", 0, to=[-1.0, 0.0])),
    "level without bounds": rewritten(set_in("levels", 0, to=[1e308, 1e-3])),
    "level next to nothing": rewritten(set_in("levels", 0, to=[1.0, 1e-300])),
    "time without bounds": rewritten(set_in("steps", 0, "duration_s", to=1e308)),
    "latent map without bounds": rewritten(
        set_in("info", "latent_map", to={"channels": 1, "weights": [1e300] * 27, "bias": [0.0] * 3, "r2": [0.5] * 3,
                                         "r2_overall": 0.5, "fitted_pictures": 1, "held_out_pictures": 1})
    ),
    "level of words": rewritten(set_in("levels", 0, to=["a", "b"])),
    "fewer steps": rewritten(lambda record: record["steps"].pop()),
    "steps of words": rewritten(set_in("steps", 1, to="x")),
    "calls": rewritten(set_in("steps", 1, "calls", to=10**12)),
    "a note that asks for much": rewritten(
        set_in("steps", 1, "guess_note", to={"context": "errors", "template": "{0:1000000000}", "facts": [1]})
    ),
    "seed": rewritten(set_in("info", "request", "seed", to=-1)),
    "sampler": rewritten(set_in("info", "request", "sampler", to="of tomorrow")),
    "unknown setting": rewritten(set_in("info", "request", "speed", to=1)),
    "model of numbers": rewritten(set_in("info", "request", "model", to=[1])),
    "title of numbers": rewritten(set_in("info", "conditions", to=5)),
    "no info": rewritten(set_in("info", to=None)),
    "latent map": rewritten(set_in("info", "latent_map", to={"channels": 10**9})),
    "no parts": rewritten(set_in("parts", to=[])),
    "parts of words": rewritten(set_in("parts", to="states")),
    "part by number": rewritten(set_in("parts", 0, "name", to=["x"])),
    "another part": rewritten(set_in("parts", 0, "name", to="../../etc/passwd")),
    "twice the part": rewritten(lambda record: record["parts"].append(record["parts"][0])),
    "dtype": rewritten(set_in("parts", 0, "dtype", to="|O")),
    "other dtype": rewritten(set_in("parts", 0, "dtype", to="<f2")),
    "huge frames": rewritten(set_in("parts", 0, "shape", to=[4, 2**20, 2**20, 2**20])),
    "large frames": rewritten(set_in("parts", 0, "shape", to=[4, 3, 4096, 4096])),
    "more frames": rewritten(set_in("parts", 0, "shape", to=[10**9, 3, 4, 4])),
    "frames below zero": rewritten(set_in("parts", 0, "shape", to=[4, 3, -4, -4])),
    "flat frames": rewritten(set_in("parts", 0, "shape", to=[4, 48])),
    "turned frames": rewritten(set_in("parts", 0, "shape", to=[4, 4, 4, 3])),
    "true frames": rewritten(set_in("parts", 0, "shape", to=[4, 3, 4, True])),
    "wrong numbers": rewritten(set_in("parts", 0, "numbers", to=[0, 1, 2, 9])),
    "falling numbers": rewritten(set_in("parts", 0, "numbers", to=[3, 2, 1, 0])),
    "equal numbers": rewritten(set_in("parts", 0, "numbers", to=[0, 0, 0, 0])),
    "check-sum": rewritten(set_in("parts", 0, "sha256", 0, to="0" * 64)),
    "no check-sum": rewritten(set_in("parts", 0, "sha256", to=[None] * 4)),
    "NaN": rewritten(with_nan, lambda members: members | {
        "states.npy": members["states.npy"][:128] + NAN + members["states.npy"][128 + len(NAN):]
    }),
    "an array's own header": rewritten(
        lambda record: None,
        lambda members: members | {"states.npy": members["states.npy"].replace(b"(4, 3, 4, 4)", b"(4, 4, 3, 4)")},
    ),
    "shorter array": rewritten(lambda record: None, lambda members: members | {"states.npy": b"\x93NUMPY"}),
    "fewer arrays": rewritten(lambda record: None, lambda members: dict(list(members.items())[:1])),
    "strange array": rewritten(lambda record: None, lambda members: members | {"more.npy": b""}),
    "traversal": rewritten(lambda record: None, lambda members: members | {"../../x": b"x"}),
    "from the root": rewritten(lambda record: None, lambda members: members | {"/etc/x": b"x"}),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    refused(saved(tmp_path, DAMAGES[damage]))


def test_each_reason_has_its_sentence(tmp_path: Path) -> None:
    assert "saved by a later version" in refused(saved(tmp_path, rewritten(set_in("schema", to=SCHEMA + 1))))
    later = rewritten(lambda record: json.dumps({"format": "sculptor run", "schema": SCHEMA + 1}).encode())
    assert "saved by a later version" in refused(saved(tmp_path, later))
    assert "does not know" in refused(saved(tmp_path, DAMAGES["sampler"]))
    assert "is no run" in refused(saved(tmp_path, b"GIF89a"))
    assert "is no run" in refused(saved(tmp_path, b""))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "x")
    assert "is no run" in refused(saved(tmp_path, file.getvalue()))
    assert "is damaged" in refused(saved(tmp_path, CONTENT[:-1]))
    assert "cannot be read" in refused(tmp_path / "missing.sculpt")
    assert "is no file" in refused(tmp_path)


def test_other_kinds_of_zip_are_refused(tmp_path: Path) -> None:
    for make in (compressed, twice, with_a_bomb):
        refused(saved(tmp_path, make()))


def test_of_a_long_directory_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_into, counted = Source.read_into, []

    def counting(source: Source, offset: int, array: np.ndarray) -> None:
        counted.append(array.nbytes)
        read_into(source, offset, array)

    monkeypatch.setattr(Source, "read_into", counting)
    refused(saved(tmp_path, with_a_long_directory()))
    assert sum(counted) < 100_000


def compressed() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


def twice() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with pytest.warns(UserWarning, match="Duplicate name"):
            new.writestr("states.npy", old.read("states.npy"))
    return file.getvalue()


def with_a_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run.json", b" " * 10**7)
    return file.getvalue()


def with_a_long_directory() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(25_000):
            archive.writestr(f"{number}", b"")
        archive.writestr("run.json", b"{}")
    return file.getvalue()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sculpt")
    assert "is no file" in refused(tmp_path / "pipe.sculpt")


def test_a_file_that_becomes_shorter_is_an_error_and_what_was_read_stays(tmp_path: Path) -> None:
    path = saved(tmp_path, CONTENT)
    run = open_run(path)
    frame = run.state(0).copy()
    with path.open("r+b") as file:
        file.truncate(600)
    with pytest.raises(TrajectoryFileError, match="has become shorter"):
        run.state(3)
    np.testing.assert_array_equal(run.state(0), frame)


def test_a_file_of_the_first_schema_is_read_for_ever() -> None:
    """`write_run` made it of `rich_run`, whose numbers are numpy's PCG64 normals."""
    run = open_run(FIXTURE)
    assert FIXTURE.stat().st_size < 20_000
    of_before = rich_run()  # it did not tell how forks part: another seed of a sampler without noise had it laid on
    forks = tuple(replace(each, parting=Parting.NOISED_BACK) for each in of_before.info.forks)
    of_before.info = replace(of_before.info, forks=forks)
    assert_same(run, replace_created(of_before, run.info.created))
    assert issubclass(TrajectoryFileError, SculptorError)


def began_elsewhere() -> Trajectory:
    """A run of the second schema: one that began with a picture, in a noise that was given."""
    noise = np.random.default_rng(11).standard_normal((3, 8, 8)).astype(np.float32)
    return made_run(steps=2, size=8, start_picture=solid(8, 3), start_noise=noise)


def test_a_file_of_the_second_schema_is_read_for_ever() -> None:
    """`write_run` made it of `began_elsewhere`."""
    run, path = began_elsewhere(), FIXTURE.with_name("schema_2.sculpt")
    read = open_run(path)
    assert (read.schema, path.stat().st_size < 20_000) == (2, True)
    assert_same(read, replace_created(run, read.info.created))


def replace_created(run: Trajectory, created: str) -> Trajectory:
    run.info = replace(run.info, created=created)
    return run
