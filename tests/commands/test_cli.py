"""The command line, as a person or a program meets it: real processes, a real model."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sculptor_app import __version__
from sculptor_app.cli import main, make_parser
from sculptor_app.commands.run_options import request_of
from sculptor_app.core.requests.request import FIRST_GUIDANCE, FIRST_SAMPLER
from sculptor_app.core.texts import byte_text
from sculptor_app.core.trajectory.levels import SETTLING_RULES
from sculptor_app.display import missing_display
from sculptor_app.exports.numbers import read_csv
from sculptor_app.exports.settings import read_settings

PROGRAM = (sys.executable, "-m", "sculptor_app")
ROOT = Path(__file__).parents[2]


def run(*arguments: object, cwd: Path = ROOT, **options: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120, **options)


def sculpt(model: Path, *arguments: object) -> tuple[int, int]:
    """In this process: the exit code."""
    return main(["sculpt", "--model", str(model), "--device", "cpu", "--steps", "3", *map(str, arguments)])


def test_version_and_help_need_neither_torch_nor_qt_nor_numpy() -> None:
    script = (
        "import sys\nfrom sculptor_app.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as left:\n    assert not left.code\n"
        "heavy = {'torch', 'diffusers', 'PySide6', 'numpy', 'PIL', 'pyqtgraph'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for arguments in (["--version"], ["--help"], ["sculpt", "--help"], ["forward", "--help"], ["info", "--help"]):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    assert f"Sculptor {__version__}" in run("--version").stdout


def test_help_lists_commands_and_exit_codes() -> None:
    text = make_parser().format_help()
    for word in ("sculpt", "menu", "  3    the model cannot be loaded", "  130  interrupted"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--steps", "0"], "The number of steps is 0; choose a whole number, 1 to 1000."),
        (["--steps", "1000000000"], "The number of steps is 1000000000; choose a whole number, 1 to 1000."),
        (["--steps", "ten"], "The number of steps is 'ten'; choose a whole number, 1 to 1000."),
        (["--seed", "lucky"], "The seed is 'lucky'; choose a whole number, 0 to 9223372036854775807."),
        (["--seed", "-1"], "The seed is -1; choose a whole number, 0 to 9223372036854775807."),
        (["--seed", "9" * 5000], "The seed is " + "9" * 30 + "…; choose a whole number"),
        (["--form", "cat"], "The form 'cat' is not known; choose one of bust, figure,"),
        (["--sampler", "plms"], "The sampler 'plms' is not known; choose one of ddim,"),
        (["--guidance", "nan"], "The guidance is 'nan'; choose a number, 0 to 30."),
        (["--frames", "all"], "The frame 'all' is not known; choose one of guess,"),
        (["--settled-by", "colour"], "The rule 'colour' is not known; choose one of content, content-90, "),
        (["--delay-ms", "85"], "The time per frame is 85 ms, and GIF counts whole 10 ms. Choose 80."),
        (["--size-px", "3"], "The size is 3; choose a whole number, 16 to 2048."),
        (["--out", "x.mov"], "x.mov ends in none of .gif, .webp, .apng"),
        (["--out", "gone/x.gif"], "does not exist. Create it, or choose another."),
        (["--csv", "gone/x.csv"], "does not exist. Create it, or choose another."),
        (["--csv", "x.gif"], "x.gif is to be a picture and numbers at once. Choose two names."),
        (["--scale", "60", "--size-px", "100"], "Argument --size-px: not allowed with argument --scale."),
        (["--device", "abacus"], "'abacus'"),
        (["--sing"], "Unrecognized arguments: --sing."),
    ],
)
def test_bad_input_is_answered_by_one_sentence(
    arguments: list[str], sentence: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        code = sculpt(tiny_model, "--out", "x.gif", *arguments)
    except SystemExit as left:
        code = left.code
    told = capsys.readouterr()
    assert code == 2
    assert sentence in told.err
    assert told.err.count("\n") == 1, told.err
    assert told.out == ""
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_save(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sculpt(tiny_model) == 2
    assert capsys.readouterr().err == "There is nothing to save. Add --out FILE, --numbers FILE or --save FILE.\n"


def test_too_large_a_scale_is_refused_before_the_first_step(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sculpt(tiny_model, "--out", tmp_path / "x.gif", "--scale", 200) == 2
    assert capsys.readouterr().err == "The size is 3200 pixels. Choose 16 to 2048.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["missing", "empty", "weights", "json"])
def test_a_model_that_cannot_be_loaded(
    broken: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    model = tmp_path / "model"
    if broken != "missing":
        shutil.copytree(tiny_model, model)
    if broken == "empty":
        (model / "model_index.json").unlink()
    if broken == "weights":
        weights = model / "unet" / "diffusion_pytorch_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    if broken == "json":
        (model / "model_index.json").write_text("{")
    assert sculpt(model, "--out", tmp_path / "x.gif") == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert str(model) in told
    assert not (tmp_path / "x.gif").exists()


def test_all_outputs_of_one_run(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gif, table, still = tmp_path / "x.gif", tmp_path / "x.csv", tmp_path / "x.png"
    options = ["--form", "bust", "--material", "bronze", "--seed", "11", "--sampler", "euler", "--guidance", "1.5"]
    how = ["--frames", "both", "--scale", "4", "--settled-by", "energy"]
    assert sculpt(tiny_model, *options, "--out", gif, "--csv", table, *how) == 0
    assert sculpt(tiny_model, *options, "--out", still) == 0
    with Image.open(gif) as image:
        assert (image.n_frames, image.size) == (3, (64 * 2 + 8, 64))
    header, rows = read_csv(table)
    assert len(rows) == 4
    assert (header["seed"], header["sampler settings"]["_class_name"]) == (11, "EulerDiscreteScheduler")
    assert len(header["model hash"]) == 64
    assert set(header["libraries"]) == {"diffusers", "torch"}
    request = read_settings(gif)["request"]
    assert request["form"], request["seed"] == ("bust", 11)
    assert read_settings(still)["request"] == request
    settled = {rule: header[f"settled by {rule} (step)"] for rule in SETTLING_RULES}
    assert read_settings(gif)["settled"] == read_settings(still)["settled"] == settled
    assert read_settings(gif)["export"]["settled_by"] == "energy"
    told = capsys.readouterr()
    assert told.err == ""
    written = [line.partition(": ")[0] for line in told.out.splitlines()]  # a line for each, also where it is piped
    assert written == list(map(str, (gif, table, still)))


def test_same_seed_same_file(tiny_model: Path, tmp_path: Path) -> None:
    stills = []
    for index, seed in enumerate((5, 5, 6)):
        path = tmp_path / f"{index}.png"
        assert sculpt(tiny_model, "--seed", seed, "--out", path) == 0
        with Image.open(path) as image:
            stills.append(image.tobytes())
    assert stills[0] == stills[1] != stills[2]


def test_in_a_pipe_the_file_is_named_and_there_is_no_bar(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    done = run("sculpt", "--model", tiny_model, "--steps", 2, "--out", path, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: {byte_text(path.stat().st_size)}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_progress_bar_on_a_terminal(tiny_model: Path, tmp_path: Path) -> None:
    master, slave = terminal()
    command = [*PROGRAM, "sculpt", "--model", str(tiny_model), "--steps", "20", "--out", str(tmp_path / "x.gif")]
    with subprocess.Popen(command, stdout=slave, stderr=slave, cwd=ROOT) as child:
        os.close(slave)
        shown = _read_to_end(master)
    assert child.returncode == 0, shown
    assert "Sculpting" in shown
    assert "/20 [" in shown
    assert "Bands settled by content at steps: coarse " in shown
    assert f"x.gif: {byte_text((tmp_path / 'x.gif').stat().st_size)}" in shown


def terminal() -> tuple[int, int]:
    """Both ends of a terminal of 80 columns."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return master, slave


def _read_to_end(master: int) -> str:
    pieces = []
    try:
        while piece := os.read(master, 65536):
            pieces.append(piece)
    except OSError:  # Linux says EIO when the other side has closed
        pass
    finally:
        os.close(master)
    return b"".join(pieces).decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_leaves_the_old_file(number: int, code: int, tiny_model: Path, tmp_path: Path) -> None:
    """The signal is sent when the bar shows steps: in the middle of a run of a thousand."""
    path = tmp_path / "x.gif"
    path.write_bytes(b"old")
    master, slave = terminal()
    command = [*PROGRAM, "sculpt", "--model", str(tiny_model), "--steps", "1000", "--out", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave, cwd=ROOT) as child:
        os.close(slave)
        shown = b""
        while not re.search(rb"[1-9]\d*/1000 \[", shown):
            shown += os.read(master, 65536)
        child.send_signal(number)
        rest = _read_to_end(master)
    assert child.returncode == code, rest
    assert "Interrupted; nothing was written." in rest
    assert not re.search(r"(9\d\d|1000)/1000 \[", rest)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.gif"]


def test_failure_in_mid_run(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from diffusers import UNet2DModel

    real, calls = UNet2DModel.forward, []

    def break_later(self: UNet2DModel, *arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("boom")
        return real(self, *arguments, **options)

    monkeypatch.setattr(UNet2DModel, "forward", break_later)
    assert sculpt(tiny_model, "--out", tmp_path / "x.gif") == 4
    told = capsys.readouterr().err
    assert "boom" in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_disk_that_fills_up_while_writing(tiny_model: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    import errno

    from sculptor_app.exports import files

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    assert sculpt(tiny_model, "--out", tmp_path / "x.gif") == 5
    assert capsys.readouterr().err.startswith("The disk is full: ")
    assert list(tmp_path.iterdir()) == []


def test_no_display_is_said_in_words() -> None:
    quiet = {"QT_QPA_PLATFORM": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = run(env=quiet)
    assert done.returncode == 1
    assert "no display" in done.stderr.lower()
    assert "sculpt" in done.stderr


def test_menu_comes_and_goes(own_folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if sys.platform != "linux":
        pytest.skip("the start menu is one of files on Linux only")
    assert main(["menu", "install"]) == 0
    entries = list(own_folders.rglob("*.desktop"))
    assert len(entries) == 1
    assert "is in your start menu" in capsys.readouterr().out
    assert main(["menu", "remove"]) == 0
    assert not list(own_folders.rglob("*.desktop"))
    assert main(["menu", "remove"]) == 0
    assert "was not in" in capsys.readouterr().out


def test_reader_that_goes_away_is_no_fault() -> None:
    command = [*PROGRAM, "sculpt", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as child:
        child.stdout.close()
        told = child.stderr.read()
    assert b"Traceback" not in told


def test_the_two_guesses_of_guidance_are_kept_where_a_gif_shows_them(tiny_model: Path, tmp_path: Path) -> None:
    for frames in ("guesses", "guidance"):
        assert sculpt(tiny_model, "--form", "bust", "--frames", frames, "--out", tmp_path / f"{frames}.gif") == 0
    with Image.open(tmp_path / "guesses.gif") as image:
        assert (image.n_frames, image.width) == (3, 3 * 256 + 2 * 8)


def test_a_run_without_guidance_has_no_two_guesses(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--guidance", "1", "--form", "bust", "--frames", "unguided", "--out", tmp_path / "x.gif")
    assert sculpt(tiny_model, *arguments) == 5
    assert "The model was evaluated once in this step" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("platform", "environ"),
    [
        ("linux", {"DISPLAY": ":0"}),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}),
        ("linux", {"QT_QPA_PLATFORM": "vnc:size=800x600"}),
        ("darwin", {}),
        ("win32", {}),
    ],
)
def test_a_window_can_be_tried(platform, environ):
    assert missing_display(environ, platform) == ""


@pytest.mark.parametrize("environ", [{}, {"DISPLAY": ""}, {"QT_QPA_PLATFORM": "xcb"}])
def test_without_a_display_it_says_what_to_do(environ):
    word = missing_display(environ, "linux")
    assert "no display" in word
    assert "sculptor-app sculpt" in word


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("sculpt --decoder {0}/x --out {1}/a.gif", 2, "{0}/x holds no small decoder."),
        ("sculpt --model {0}/x --out {1}/a.gif", 3, "There is no folder {0}/x."),
        ("sculpt --model one/two --out {1}/a.gif", 3, "There is no folder one/two,"),
        ("sculpt --lora {0}/x.safetensors --out {1}/a.gif", 2, "There is no file {0}/x.safetensors;"),
        ("sculpt --out {0}/a.gif", 2, "{0}/a.gif may not be written here."),
        ("sculpt --csv {0}/a.csv", 2, "{0}/a.csv may not be written here."),
        ("resculpt {0}/x.png --out {1}/a.gif", 2, "x.png cannot be opened: it may not be read."),
        ("invert {0}/x.png --out {1}/a.gif", 2, "x.png cannot be opened: it may not be read."),
        ("forward {0}/x.png --out {1}/a.gif", 2, "x.png cannot be opened: it may not be read."),
        ("check-model {0}/x", 2, "There is no folder {0}/x."),
        ("check-model one/two", 2, "There is no folder one/two,"),
        ("train --out {0}/run", 5, "The folder {0}/run cannot be written to (Permission denied)."),
        ("train --out {1}/run --from {0}/x", 2, "There is no folder {0}/x."),
        ("train --out {1}/run --start-from {0}/x", 3, "{0}/x/model_index.json is missing."),
        ("train --out {0}/run --export {1}/model", 2, "There is no checkpoint {0}/run/checkpoint.pt."),
        ("evaluate --train-renders {0}/x", 2, "There is no folder {0}/x."),
        ("evaluate --out {0}/x.json", 5, "{0}/x.json may not be written here."),
        ("atelier sheet --out {0}/x.png", 5, "{0}/x.png may not be written here."),
        ("menu install", 5, "The start menu's folder {0}/.local/share cannot be written"),
        ("menu remove", 5, "An entry in {0}/.local/share cannot be removed"),
    ],
)  # fmt: skip
def test_a_place_that_may_not_be_entered_is_said_in_a_sentence(
    arguments: str, code: int, sentence: str, closed_folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """In the arguments, and as the home that a foreign person's variable names."""
    monkeypatch.setenv("HOME", str(closed_folder))
    for name in ("DATA", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(closed_folder / "hub"))
    assert main(arguments.format(closed_folder, tmp_path).split()) == code
    said = capsys.readouterr().err
    assert said.startswith(sentence.format(closed_folder))
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        *((f"{command} {option} {{0}}", 2) for command in ("sculpt", "resculpt --render bust", "invert --render bust",
                                                          "forward --render bust") for option in ("--out", "--csv")),
        ("evaluate --out {0}", 5),
        ("atelier sheet --out {0}", 5),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["/", ".", "{0}"])
def test_a_folder_in_place_of_a_file_is_called_that(
    arguments: str, code: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = name.format(tmp_path)
    assert main(arguments.format(path).split()) == code
    assert capsys.readouterr().err == f"{path} is a folder. Add a file name.\n"


def test_a_run_like_that_of_a_file(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, like = tmp_path / "x.gif", tmp_path / "y.png"
    assert sculpt(tiny_model, "--form", "vase", "--seed", 12, "--guidance", 3, "--out", made) == 0
    assert main(["sculpt", "--like", str(made), "--out", str(like)]) == 2
    assert f"It was made by the model {tiny_model.name}. Say with --model where that is." in capsys.readouterr().err
    for typed, seed in (((), 12), (("--seed", "13"), 13)):
        for arguments in ((*typed, "--like", str(made)), ("--like", str(made), *typed)):
            assert main(["sculpt", "--model", str(tiny_model), *arguments, "--out", str(like)]) == 0
            asked = read_settings(like)["request"]
            wanted = {"form": "vase", "seed": seed, "steps": 3, "guidance": 3.0}
            assert {name: asked[name] for name in wanted} == wanted
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        main(["sculpt", "--like", str(tmp_path / "none.gif"), "--out", str(like)])
    assert "--like: There is no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sampler", "guidance"),
    [
        ([], FIRST_SAMPLER, FIRST_GUIDANCE),
        (["--guidance", "3"], FIRST_SAMPLER, 3),
        (["--sampler", "ddim"], "ddim", FIRST_GUIDANCE),
        (["--model", "x"], "ddim", 2),
    ],
)
def test_runs_of_the_embedded_model_begin_with_what_was_measured_best(
    words: list[str], sampler: str, guidance: float
) -> None:
    request = request_of(make_parser().parse_args(["sculpt", *words]))
    assert (request.sampler, request.guidance) == (sampler, guidance)
