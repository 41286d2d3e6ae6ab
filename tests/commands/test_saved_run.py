"""`sculpt --save`, and what `info` and `export` make of the file without its model."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sculptor_app import folders
from sculptor_app.cli import main
from sculptor_app.core import files as core_files
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import byte_text
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.core.trajectory.library import Library
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.formats import FORMATS, Export
from sculptor_app.exports.saved_run import write_sculpt
from sculptor_app.exports.settings import read_settings
from tests.helpers.runs import made_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "made.sculpt"
    write_sculpt(path, made_run(guidance=3.0))
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(list(map(str, arguments)))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_run_is_saved_and_exported_as_it_would_have_been_at_once(tiny_model: Path, tmp_path: Path) -> None:
    made = {name: tmp_path / f"{name}.{name}" for name in ("gif", "csv", "sculpt")}
    look = ["--frames", "both", "--plot", "--caption", "--every", "2"]
    files = ["--out", made["gif"], "--csv", made["csv"], "--save", made["sculpt"]]
    model = ["--model", tiny_model, "--device", "cpu", "--steps", 3]
    assert main(list(map(str, ["sculpt", *model, "--form", "bust", "--guidance", 3, *look, *files]))) == 0
    run = open_run(made["sculpt"])
    run.check_frames()
    assert (run.last, run.is_complete, run.info.request.steps) == (3, True, 3)
    assert run.info.request.model == run.info.model_name == tiny_model.name, "where it lies is nobody's business"
    assert run.guess_unconditional(2) is not None
    again = [tmp_path / "again.gif", tmp_path / "again.csv"]
    assert main(list(map(str, ["export", made["sculpt"], *look, "--out", again[0], "--csv", again[1]]))) == 0
    assert again[0].read_bytes() == made["gif"].read_bytes()
    assert again[1].read_bytes() == made["csv"].read_bytes()


def test_info_says_what_it_holds(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "info", saved)
    assert code == 0
    for words in ("bust · bronze, seed 7, DDIM, 8 steps", "9 of 9, 3 × 16 × 16, pixels", "conditional guesses: ",
                  "schema 1, frames as float32, as recorded", "Structure 2–3"):  # fmt: skip
        assert words in out
    assert "check" not in out
    assert "every frame is what was saved" in said(capsys, "info", "--check", saved)[1]
    told = json.loads(said(capsys, "info", "--json", saved)[1])
    assert (told["states"], told["shape"], told["request"]["form"]) == (9, [3, 16, 16], "bust")
    assert told["size_bytes"] == saved.stat().st_size
    assert set(told["part_bytes"]) == {"states", "guesses", "guesses_unconditional", "guesses_conditional"}


def test_info_says_what_a_table_was_made_with(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(saved), "--csv", str(tmp_path / "x.csv")]) == 0
    capsys.readouterr()
    code, out, _ = said(capsys, "info", tmp_path / "x.csv")
    assert code == 0
    assert "seed: 7" in out
    assert "sampler name: DDIM" in out
    assert "columns" not in out
    told = json.loads(said(capsys, "info", "--json", tmp_path / "x.csv")[1])
    assert (told["seed"], "step" in told["columns"]) == (7, True)


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"# x: {\n", b"\xff\xfe#", b"# application: 5\n", b"#" * 10**6]
)
@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_other_tables_are_refused_in_a_sentence(
    content: bytes, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    code, _, err = said(capsys, "info", tmp_path / name)
    assert code == 2
    assert "carries no settings of a run" in err or "pyarrow is not installed" in err


@pytest.mark.parametrize("name", ["x.gif", "x.png", "x.html", "x.mp4", "x.webp", "x.apng", "x.zip"])
def test_info_says_what_an_exported_file_was_made_with(
    name: str, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    assert said(capsys, "export", saved, "--out", path)[0] == 0
    code, out, _ = said(capsys, "info", path)
    assert code == 0
    assert "request:\n  form: bust\n  material: bronze\n" in out
    assert json.loads(said(capsys, "info", "--json", path)[1])["request"]["form"] == "bust"


def test_info_says_what_it_cannot_read(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "mine.png")
    for name in ("mine.png", "none.gif"):
        code, out, err = said(capsys, "info", tmp_path / name)
        assert (code, out) == (2, "")
        assert "carries no settings of a run" in err or "There is no file" in err
    assert "is no saved run. Leave --check out." in said(capsys, "info", "--check", tmp_path / "mine.png")[2]


def test_a_preset_sets_what_is_not_typed_after_it(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    assert main(["export", str(saved), "--preset", "slide", "--hold-ms", "500", "--out", str(path)]) == 0
    told = read_settings(path)["export"]
    assert {name: told[name] for name in ("frames", "size_px", "caption", "hold_ms")} == {
        "frames": "both", "size_px": 768, "caption": True, "hold_ms": 500,
    }  # fmt: skip


def test_info_reads_pictures_of_other_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PngInfo()
    text.add_text("parameters", "a lion\nSteps: 5, Sampler: Euler a, Seed: 44")
    Image.new("RGB", (8, 8)).save(tmp_path / "lion.png", pnginfo=text)
    code, out, _ = said(capsys, "info", tmp_path / "lion.png")
    assert code == 0
    assert "prompt: a lion\n" in out
    assert json.loads(said(capsys, "info", "--json", tmp_path / "lion.png")[1])["Sampler"] == "Euler a"


def test_info_says_that_a_run_was_stopped_and_is_compact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, path = made_run(taken=3), tmp_path / "x.sculpt"
    run.end("cancelled")
    write_sculpt(path, run, is_compact=True)
    out = said(capsys, "info", path)[1]
    assert "4 of 9" in out
    assert "cancelled" in out
    assert "float16, rounded" in out


def test_a_state_is_exported_as_a_picture(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.png"
    pictures = []
    for step in (2, 8):
        code, _, error = said(capsys, "export", saved, "--step", step, "--scale", 1, "--out", out)
        assert (code, error) == (0, "")
        pictures.append(np.asarray(Image.open(out)))
    assert pictures[0].shape == (16, 16, 3)
    assert (pictures[0] != pictures[1]).any()
    assert said(capsys, "export", saved, "--step", 9, "--out", out)[::2] == (
        2, "The step is 9; the run has 8. Choose one that it has.\n",
    )  # fmt: skip


def test_latents_are_seen_as_far_as_they_can_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "x.sculpt", tmp_path / "x.gif"
    write_sculpt(path, made_run(channels=4, space="latents"))
    code, _, error = said(capsys, "export", path, "--out", out)
    assert code == 0
    assert error.startswith("Of latents: 8 frames ")
    with Image.open(out) as image:
        assert image.n_frames == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "{}/made.sculpt"], "There is nothing to save. Add --out FILE or --numbers FILE."),
        (["export", "{}/made.sculpt", "--csv", "{}/made.sculpt"], "is the saved run itself"),
        (["export", "{}/none.sculpt", "--csv", "{}/x.csv"], "none.sculpt cannot be read (No such file or directory)."),
        (["info", "{}"], "is no file."),
        (["info", "{}/other.sculpt"], "other.sculpt is no run that was saved here."),
        (["sculpt", "--save", "{}/x.zip"], "x.zip is no .sculpt. Let the name end with it."),
        (["sculpt", "--save", "{}/no/x.sculpt"], "/no does not exist."),
        (["sculpt", "--compact", "--csv", "{}/x.csv"], "There is no run to be saved compact."),
        (["sculpt"], "Add --out FILE, --numbers FILE or --save FILE."),
        (["resculpt", "{}/x.sculpt", "--save", "{}/x.sculpt"], "x.sculpt is the picture itself."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    saved: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (saved.parent / "other.sculpt").write_bytes(b"GIF89a")
    code, out, error = said(capsys, *(each.format(saved.parent) for each in arguments))
    assert (code, out) == (2, "")
    assert sentence in error
    assert error.count("\n") == 1
    assert sorted(entry.name for entry in saved.parent.iterdir()) == ["made.sculpt", "other.sculpt"]


def test_neither_command_imports_torch_or_qt(saved: Path) -> None:
    code = (
        "import sys\nfrom sculptor_app.cli import main\n"
        "assert main(['info', sys.argv[1]]) == 0\nassert main(['export', sys.argv[1], '--out', sys.argv[2]]) == 0\n"
        "heavy = {'torch', 'diffusers', 'safetensors', 'PySide6'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    command = [sys.executable, "-c", code, str(saved), str(saved.with_name("x.gif"))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr


# What is told, and disks that are full --------------------------------------------------------------------------------


def test_a_file_tells_no_more_than_it_may(tmp_path: Path) -> None:
    run, path = made_run(), tmp_path / "x.sculpt"
    request = RunRequest(model="/home/ann/models/lion", options={"prompt": "my secret", "image": "/home/ann/me.jpg"})
    info = run.info.__class__(request, "lion", conditions="my secret", origin="me.jpg")
    run = Trajectory(info, run.state(0), run.levels)
    for disclosure, words, others in (
        (Disclosure.NAMES, (b"my secret", b"me.jpg"), (b"/home/ann",)),
        (Disclosure.PATHS, (b"/home/ann/models/lion", b"/home/ann/me.jpg", b"my secret"), ()),
        (Disclosure.PRIVATE, (), (b"my secret", b"me.jpg", b"/home/ann")),
    ):
        write_sculpt(path, run, disclosure=disclosure)
        content = path.read_bytes()
        assert all(word in content for word in words)
        assert not any(word in content for word in others)
        assert open_run(path).info.model_name == "lion"


class FullDisk:
    """A file on a disk that takes so many bytes."""

    def __init__(self, file, room: int) -> None:
        self._file, self._room = file, room

    def write(self, content) -> int:
        size = memoryview(content).nbytes
        if self._file.tell() + size > self._room:
            raise OSError(28, "No space left on device")
        return self._file.write(content)

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._file.close()


@pytest.mark.parametrize("room", [0, 100, 5_000, 30_000, 53_000])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path, open_owned = tmp_path / "x.sculpt", core_files._open_owned
    path.write_bytes(b"old")
    monkeypatch.setattr(core_files, "_open_owned", lambda temporary: FullDisk(open_owned(temporary), room))
    with pytest.raises(ExportError, match=r"The disk is full: .*x.sculpt was not written. Free some space"):
        write_sculpt(path, made_run(size=16))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.sculpt"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A run of another sampler, seed and number of steps."""
    run = made_run(steps=16)
    run.info = replace(run.info, request=replace(run.info.request, seed=8), sampler_name="Heun")
    path = tmp_path / "other.sculpt"
    write_sculpt(path, run)
    return path


def test_two_runs_are_compared_in_words(saved: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "compare", saved, other, "--lock", "snr")
    assert code == 0
    assert "They differ in: seed 7 and 8; sampler DDIM and Heun; steps 8 and 16." in out
    assert "  Polish, step 8 beside step 16: guesses apart by 0 (rms)\n" in out
    told = json.loads(said(capsys, "compare", saved, other, "--json")[1])
    assert told["settings"]["seed"] == ["7", "8"]
    assert [each["other_step"] for each in told["steps"]] == list(range(9))
    assert told["steps"][0]["rms_of_guesses"] is None  # of pure noise there is none
    step = told["steps"][8]
    expected = open_run(saved).guess(8) - open_run(other).guess(8)
    assert step["rms_of_guesses"] == pytest.approx(float(np.sqrt(np.mean(np.square(expected)))), rel=1e-5)


def test_the_same_run_differs_in_nothing(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "compare", saved, saved)
    assert "Their settings are the same." in out
    assert "apart by 0 (rms)" in out


@pytest.mark.parametrize("name", ["both.gif", "both.png", "both.html", "both.svg", "both.mp4"])
def test_two_runs_are_shown_side_by_side(saved: Path, other: Path, tmp_path: Path, name: str, capsys) -> None:
    path = tmp_path / name
    assert said(capsys, "compare", saved, other, "--lock", "snr", "--caption", "--out", path)[0] == 0
    runs = json.loads(said(capsys, "info", "--json", path)[1])["runs"]
    assert [run["request"]["seed"] for run in runs] == [7, 8]


def test_side_by_side_are_the_states_of_one_level(saved: Path, other: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "both.gif"
    options = ["--lock", "snr", "--size-px", "16", "--frames", "noisy", "--out", path]
    assert said(capsys, "compare", saved, other, *options)[0] == 0
    with Image.open(path) as film:
        assert film.n_frames == 9
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB"))
    ends = [np.asarray(_png_of(open_run(file), tmp_path)) for file in (saved, other)]
    found = [find(last, end) for end in ends]
    assert len(set(found)) == 2 or np.array_equal(*ends)
    assert None not in found


def _png_of(run: Trajectory, folder: Path) -> Image.Image:
    FORMATS["png"].write(folder / "end.png", Export(run, AnimationOptions(size_px=16, frames="noisy"), run.last))
    return Image.open(folder / "end.png").convert("RGB")


def find(sheet: np.ndarray, part: np.ndarray) -> tuple[int, int] | None:
    """Where a picture stands in a sheet, colours within a GIF's palette; None for nowhere."""
    height, width = part.shape[:2]
    for top in range(sheet.shape[0] - height + 1):
        for left in range(sheet.shape[1] - width + 1):
            if np.abs(sheet[top : top + height, left : left + width].astype(int) - part).mean() < 4:
                return top, left
    return None


def test_two_sizes_stand_not_side_by_side(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = tmp_path / "large.sculpt"
    write_sculpt(large, made_run(size=24))
    code, out, err = said(capsys, "compare", saved, large, "--out", tmp_path / "both.gif")
    assert code == 5
    assert "Their frames are of different sizes" in out
    assert "have pictures of different sizes, 16 × 16 and 24 × 24. Export each by itself." in err
    assert not (tmp_path / "both.gif").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "other.sculpt"], "ends in none of"),
        (["--csv", "other.sculpt"], "is one of the saved runs"),
        (["--out", "x.gif", "--plot"], "no plot"),
        (["--lock", "time"], "time"),
    ],
)
def test_what_cannot_be_compared_so_is_refused(
    saved: Path, other: Path, options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    before = other.read_bytes()
    try:
        code, _, err = said(capsys, "compare", saved, other, *options)
    except SystemExit as refused:
        code, err = refused.code, capsys.readouterr().err
    assert code
    assert words in err
    assert other.read_bytes() == before


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setattr(folders, "library", lambda: tmp_path / "library")
    made = Library(tmp_path / "library", 10**8)
    made.keep(made_run())
    return made


def test_the_library_is_listed_searched_and_put_in_order(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    path = library.runs()[0].path
    code, out, _ = said(capsys, "library")
    assert code == 0
    assert out == f"{path}: bust · bronze, seed 7, DDIM, 8 steps ({byte_text(path.stat().st_size)})\n"
    assert said(capsys, "library", "BRONZE", "ddim")[1] == out
    assert said(capsys, "library", "vase")[1].strip() == ""
    told = json.loads(said(capsys, "library", "--json")[1])
    assert (told[0]["name"], told[0]["steps"], told[0]["is_named"]) == (path.stem, 8, False)
    code, out, _ = said(capsys, "library", "--rename", path.stem, "My first")
    assert (code, out) == (0, f"{path.with_name('My first.sculpt')}\n")
    assert said(capsys, "library", "--remove", "My first")[:2] == (0, f"Removed: {path.with_name('My first.sculpt')}\n")
    assert library.runs() == []
    assert list(library.folder.iterdir()) == []
    code, _, err = said(capsys, "library", "--remove", "My first")
    assert code == 2
    assert "no run called My first" in err


def test_a_file_of_the_library_that_is_no_run_is_told(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    (library.folder / "broken.sculpt").write_bytes(b"x")
    code, out, _ = said(capsys, "library", "broken")
    assert code == 0
    assert "broken.sculpt: " in out
    assert "is no run that was saved here" in out
