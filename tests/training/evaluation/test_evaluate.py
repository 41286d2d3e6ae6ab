"""The command `evaluate`, from options to figures."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.cli import main, make_parser
from sculptor_app.commands.evaluate import command_line
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.training.data import shards
from sculptor_app.training.evaluation import evaluate as evaluating
from sculptor_app.training.evaluation import judge_training
from sculptor_app.training.evaluation import pictures as renders
from sculptor_app.training.evaluation.judge import FACTS, Judge, read_judge, write_judge
from sculptor_app.training.evaluation.judge_training import JudgeRecipe, Pictures, find_judge, finish, own_judge
from sculptor_app.training.network import new_pipeline

pytestmark = pytest.mark.usefixtures("no_trials")

REQUIRED = {"samples", "form_accuracy", "material_accuracy", "frechet_samples", "frechet_renders", "nearest_train",
            "nearest_renders", "training_compared", "command", "machine"}  # fmt: skip


def evaluate(model: Path, *arguments: object) -> int:
    """In this process, quickly: the exit code."""
    words = ["evaluate", "--model", model, "--device", "cpu", "--samples", 8, "--steps", 2, *arguments]
    try:
        return main([str(word) for word in words])
    except SystemExit as left:
        return int(left.code or 0)


@pytest.fixture(autouse=True)
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes a judge makes one in seconds: 48 renders to learn from, 48 to measure with."""
    for module in (shards, renders, judge_training):
        monkeypatch.setattr(module, "SHARD", 48)
    monkeypatch.setattr(evaluating, "RECIPE", JudgeRecipe(renders=48, held_out=48, passes=2, batch=24))


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model of random weights that says that it was trained on renders 0 to 47."""
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "training.json").write_text('{"render_seeds": [[0, 48]]}')
    return folder


@pytest.fixture
def judge() -> Path:
    """An untrained judge of 16 pixels, in the place where one that was made here would be."""
    torch.manual_seed(0)
    recipe = JudgeRecipe(renders=1, held_out=96)
    pictures = torch.randint(0, 256, (96, 3, 16, 16), dtype=torch.uint8)
    labels = torch.arange(96)
    folder = own_judge(16)
    folder.mkdir(parents=True)
    write_judge(folder, finish(Judge().eval(), Pictures(pictures, labels % 8, labels % 6), 16, recipe))
    return folder


def test_a_model_is_measured(model: Path, judge: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(model, "--json", "--out", tmp_path / "figures.json") == 0
    told = capsys.readouterr()
    figures = json.loads(told.out)
    assert told.err == ""  # no bars in a pipe
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    assert figures.keys() >= REQUIRED
    assert (figures["samples"], figures["steps"], figures["guidance"], figures["seed"]) == (8, 2, 1.75, 0)
    assert figures["sampler"] == "unipc"
    assert 0 <= figures["form_accuracy"] <= 1
    assert figures["frechet_samples"] > 0 < figures["frechet_renders"]
    assert figures["nearest_train"] > 0.05 < figures["nearest_renders"]  # noise, and renders of other seeds
    assert figures["training_compared"] == 48
    assert sum(sum(row.values()) for row in figures["form_confusions"].values()) == 8
    command = "sculptor-app evaluate --samples 8 --model model --device cpu --steps 2 --out figures.json --json"
    assert figures["command"] == command
    assert str(tmp_path) not in told.out
    assert f"torch {torch.__version__}" in figures["machine"]


def test_the_same_seed_gives_the_same_figures(model: Path, judge: Path, capsys: pytest.CaptureFixture[str]):
    found = []
    for seed in (1, 1, 2):
        assert evaluate(model, "--json", "--seed", seed) == 0
        figures = json.loads(capsys.readouterr().out)
        found.append([figures[name] for name in ("frechet_samples", "frechet_renders", "nearest_train")])
    assert found[0] == found[1]
    assert all(a != b for a, b in zip(found[0], found[2], strict=True))


@pytest.mark.parametrize("has", [True, False])
def test_exact_figures_are_of_float32(
    has: bool, model: Path, judge: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(evaluating, "has_fast_16_bits", lambda _: has)
    found = {}
    for words in ((), ("--exact",)):
        assert evaluate(model, "--json", "--train-pictures", 1, *words) == 0
        found[words] = json.loads(capsys.readouterr().out)
    assert found[()]["precision"] == ("bfloat16" if has else "float32")
    assert found["--exact",]["precision"] == "float32"
    assert (found[()]["frechet_samples"] == found["--exact",]["frechet_samples"]) is not has


def test_a_model_that_copies_is_found_out(
    model: Path, judge: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    copies = torch.cat(list(renders.training_renders([(0, 48)], 16, None)))[:8].flip(3)
    monkeypatch.setattr(evaluating, "draw_samples", lambda *_: iter([copies]))
    assert evaluate(model, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["nearest_train"] == 0
    assert (figures["copies_samples"], figures["copies_renders"]) == (1, 0)
    assert figures["nearest_renders"] > 0.05


def test_without_a_word_about_the_training_there_is_no_distance(
    tiny_model: Path, judge: Path, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(tiny_model, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures.keys() >= REQUIRED
    assert (figures["nearest_train"], figures["nearest_renders"], figures["training_compared"]) == (None, None, 0)
    assert evaluate(tiny_model) == 0
    assert "it has no training.json" in capsys.readouterr().out


def test_a_person_gets_a_table(model: Path, judge: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(model, "--samples", 1, "--train-pictures", 5) == 0
    table = capsys.readouterr().out
    for words in (
        "1 sample of model, 2 steps of UniPC, guidance 1.75",
        "form as asked for",
        "Fréchet",
        "with 5 training pictures",
        "seed 0",
    ):
        assert words in table
    assert max(map(len, table.splitlines()[:-1])) <= 100


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--samples", "0"], "The number of samples is 0; choose a whole number, 1 to 100000."),
        (["--steps", "ten"], "The number of steps is 'ten'; choose a whole number, 1 to 1000."),
        (["--guidance", "nan"], "The guidance is 'nan'; choose a number, 0 to 30."),
        (["--train-pictures", "some"], "The number of training pictures is 'some'; choose"),
        (["--train-renders", "gone"], "There is no folder gone. Choose another with --train-renders."),
        (["--device", "abacus"], "'abacus'"),
    ],
)
def test_bad_input_is_answered_by_one_sentence(
    arguments: list[str], sentence: str, model: Path, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(model, *arguments) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1, told.err
    assert told.out == ""


def save(folder: Path, forms: tuple[str, ...], materials: tuple[str, ...], size: int) -> Path:
    new_pipeline(forms, materials, size, channels=(32,)).save_pretrained(folder)
    return folder


def test_a_model_of_a_persons_own_pictures_cannot_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert evaluate(save(tmp_path / "own", (), (), 16)) == 2
    assert "does not make the forms and materials that are measured here (bust, figure" in capsys.readouterr().err


@pytest.mark.parametrize("size", [8, 20, 136])
def test_pictures_of_a_size_that_no_judge_reads_are_refused(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(save(tmp_path / "odd", FORMS, MATERIALS, size)) == 2
    assert f"makes pictures of {size} pixels: choose one" in capsys.readouterr().err


def test_a_damaged_store_of_renders_is_named(model: Path, judge: Path, capsys: pytest.CaptureFixture[str]):
    (model / "shard-000000000000.npz").write_bytes(b"half")
    assert evaluate(model, "--train-renders", model) == 2
    assert "shard-000000000000.npz is damaged" in capsys.readouterr().err


def test_more_steps_than_the_model_has_are_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pipeline = load_sculptor(tiny_model)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, num_train_timesteps=100)
    pipeline.save_pretrained(tmp_path / "short")
    assert evaluate(tmp_path / "short", "--steps", 101) == 2
    assert "The number of steps is 101; this model takes 1 to 100." in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["gone", "weights", "training", "judge", "judge of another size"])
def test_what_cannot_be_loaded_has_its_exit_code(
    broken: str, model: Path, judge: Path, capsys: pytest.CaptureFixture[str]
):
    if broken == "gone":
        shutil.rmtree(model)
    if broken == "weights":
        (model / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"half")
    if broken == "training":
        (model / "training.json").write_text("{}")
    if broken == "judge":
        (judge / FACTS).unlink()
    if broken == "judge of another size":
        (judge / FACTS).write_text((judge / FACTS).read_text().replace('"size": 16', '"size": 32'))
    assert evaluate(model) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_known_before_the_work(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(model, "--out", tmp_path / "gone" / "x.json") == 5
    assert "does not exist. Create it" in capsys.readouterr().err
    assert not own_judge(16).exists()


def test_where_there_is_no_judge_one_is_made_and_kept(tiny_model: Path):
    assert evaluate(tiny_model) == 0
    made = own_judge(16)
    assert find_judge(16) == made
    assert [path.name for path in made.parent.iterdir()] == ["judge-16"]  # its renders are gone
    assert (read_judge(made).renders, read_judge(made).held_out) == (48, 48)
    before = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
    assert evaluate(tiny_model) == 0
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} == before
    assert evaluate(tiny_model, "--train-judge") == 0
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} != before


def parse(*words: str):
    return make_parser().parse_args(["evaluate", *words])


def test_the_command_line_is_what_a_person_would_type():
    assert command_line(parse()) == "sculptor-app evaluate --samples 1024"
    words = ("--samples", "64", "--model", "my models/a", "--seed", "3", "--guidance", "1.5", "--device", "cpu",
             "--train-pictures", "all", "--train-judge", "--out", "x.json", "--json")  # fmt: skip
    line = command_line(parse(*words))
    assert "--model 'my models/a'" in line
    import shlex

    assert vars(parse(*shlex.split(line)[2:])) == vars(parse(*words))


def test_help_needs_neither_torch_nor_numpy():
    script = (
        "import sys\nfrom sculptor_app.cli import main\n"
        "try:\n    main(['evaluate', '--help'])\nexcept SystemExit as left:\n    assert not left.code\n"
        "assert not {'torch', 'numpy', 'PySide6'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--train-pictures" in done.stdout
