"""`decide`: what is decided by which step, written as it comes and gone on with."""

import json
import shutil
from concurrent.futures import Future
from pathlib import Path

import pytest

from sculptor_app.cli import main
from sculptor_app.commands.decide import _table
from sculptor_app.diffusion.pipelines import devices
from sculptor_app.diffusion.studies import decisions, processes
from sculptor_app.measures.likeness import Curve, Decision


def decided(model: Path, *arguments: object) -> int:
    return main(["decide", "--model", str(model), "--device", "cpu", "--steps", "6", "--forks", "3",
                 *map(str, arguments)])  # fmt: skip


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_forks_are_more_alike_the_later_they_part(
    sampler: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "curve.json"
    assert decided(tiny_model, "--sampler", sampler, "--seeds", 2, "--at", "0,2,5", "--json", path) == 0
    content = json.loads(path.read_text())
    assert [(one["seed"], one["step"]) for one in content["results"]] == [(s, k) for s in (7, 8) for k in (0, 2, 5)]
    for first, _, last in (content["results"][:3], content["results"][3:]):
        assert first["pixels"] < last["pixels"]
        assert set(last["bands"]) == {"coarse", "medium", "fine", "finest"}
    shown = capsys.readouterr().out
    assert "±" in shown  # of two seeds there is an error
    assert "coarse: alike to 0.95 " in shown
    assert "Mean correlation of all pairs of forks" in shown
    assert "± standard error" in shown


def test_u_turns_keep_more_the_less_deep_they_go(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "turned.json"
    given = ("--u-turn", "--at", "0,1,3,5", "--json", path)
    assert decided(tiny_model, *given) == 0
    results = json.loads(path.read_text())["results"]
    kept = [one["pixels"] for one in results]
    assert kept[0] < kept[2] < kept[3]
    assert "from step" in capsys.readouterr().out or kept[3] < 0.95
    before = path.read_bytes()
    assert decided(tiny_model, *given) == 0  # nothing is left to be measured
    assert path.read_bytes() == before
    assert decided(tiny_model, "--at", "0,3", "--json", path) == 2
    assert "is of other settings: forks or U-turns" in capsys.readouterr().err


def test_what_is_there_is_not_measured_again(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "curve.json"
    assert decided(tiny_model, "--at", "2,4", "--json", path) == 0
    first = json.loads(path.read_text())["results"]
    measured: list[tuple[int, int]] = []
    real = decisions.measure_step

    def noted(engine, whole, step, *others):
        measured.append((whole.info.request.seed, step))
        return real(engine, whole, step, *others)

    monkeypatch.setattr(decisions, "measure_step", noted)
    assert decided(tiny_model, "--at", "2,3,4", "--seeds", 2, "--json", path) == 0
    assert measured == [(7, 3), (8, 2), (8, 4), (8, 3)]  # what lies between comes last
    results = json.loads(path.read_text())["results"]
    assert [each for each in results if each in first] == first
    assert decided(tiny_model, "--at", "2,4", "--json", path, "--form", "vase") == 2
    assert "is of other settings: form" in capsys.readouterr().err


def test_what_was_measured_before_a_stop_is_kept(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "curve.json", decisions.decision_of

    def failing(*arguments):
        if path.exists():
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(decisions, "decision_of", failing)
    assert decided(tiny_model, "--at", "2,4", "--json", path) != 0
    assert len(json.loads(path.read_text())["results"]) == 1


def test_it_looks_closer_where_something_is_decided(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A planted decision, at step 7 of 12."""
    path = tmp_path / "curve.json"

    def judged(seed, step, *_):
        return Decision(seed, step, dict.fromkeys(("coarse", "pixels"), 0.99 if step >= 7 else 0.2))

    monkeypatch.setattr(decisions, "decision_of", judged)
    arguments = ["--steps", "12", "--at", "2,11", "--closer", "--json", path]
    assert decided(tiny_model, *arguments) == 0
    steps = [one["step"] for one in json.loads(path.read_text())["results"]]
    assert steps == [2, 6, 7, 8, 11]  # by halves
    assert "pixels: alike to 0.95 by step 7, not yet at 6" in capsys.readouterr().out
    before = path.read_text()
    monkeypatch.setattr(decisions, "measure_step", None)  # nothing is measured again
    assert decided(tiny_model, *arguments) == 0
    assert path.read_text() == before


def test_the_same_seeds_give_the_same_numbers(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert decided(tiny_model, "--at", "3", "--json", tmp_path / name) == 0
    assert (tmp_path / "one").read_text() == (tmp_path / "other").read_text()


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.parametrize("given", [("--closer", "--at", "2,5"), ("--u-turn", "--at", "1,3,5")])
def test_the_same_seeds_give_the_same_file_however_many_workers_share_in_it(
    given: tuple[str, ...], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.json"
        assert decided(tiny_model, *given, "--seeds", 3, "--workers", workers, "--json", path) == 0
        said.append(capsys.readouterr().out.replace(str(path), ""))
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert said[0] == said[1]


@pytest.mark.usefixtures("quick_workers")
def test_several_workers_go_on_where_one_was_stopped(tiny_model: Path, tmp_path: Path) -> None:
    path, whole = tmp_path / "curve.json", tmp_path / "whole.json"
    assert decided(tiny_model, "--at", "2,4", "--json", path) == 0
    assert decided(tiny_model, "--at", "2,3,4", "--seeds", 2, "--workers", 2, "--json", path) == 0
    assert decided(tiny_model, "--at", "2,3,4", "--seeds", 2, "--json", whole) == 0
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("quick_workers")
def test_an_error_in_a_worker_is_the_sentence_and_code_of_one(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "unet" / "config.json").write_text("{")
    said = [(decided(broken, "--workers", workers), capsys.readouterr().err) for workers in (1, 2)]
    assert said[0] == said[1]
    assert said[0][0] == 3


@pytest.mark.parametrize(
    ("workers", "told"),
    [(0, "The number of workers is 0"), ("many", "The number of workers is 'many'"), (257, "choose a whole number")],
)
def test_a_number_of_workers_that_is_none_is_refused(
    workers: object, told: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        decided(tiny_model, "--workers", workers)
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_several_workers_on_a_gpu_or_beside_a_cluster_are_refused(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "devices", lambda: (devices.Device("cuda:0", "A GPU"), devices.Device("cpu", "CPU")))
    assert decided(tiny_model, "--device", "auto", "--workers", 2) == 2
    assert capsys.readouterr().err == "One process uses all of A GPU. Leave out --workers, or add --device cpu.\n"
    several = (*(devices.Device(f"cuda:{place}", "A GPU") for place in range(2)), devices.Device("cpu", "CPU"))
    monkeypatch.setattr(devices, "devices", lambda: several)
    assert decided(tiny_model, "--device", "cuda", "--workers", 3) == 2
    assert capsys.readouterr().err == "One process uses all of A GPU. Choose 2 or fewer, or add --device cpu.\n"
    assert decided(tiny_model, "--device", "cuda:1", "--workers", 2) == 2
    assert capsys.readouterr().err == "One process uses all of A GPU. Leave out --workers, or add --device cpu.\n"
    assert decided(tiny_model, "--workers", 2, "--cluster", "tcp://head:8786") == 2
    assert "A cluster has workers of its own. Leave out --workers, or --cluster." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('   "seed": 7', '   "seed": Infinity'), ('   "seed": 7', '   "seed": 1e400'), ('"step": 2', '"step": "2"'),
        ('"pixels": 0', '"pixels": 1e300, "x": 0'), ('"results": [', '"results": ' + "[" * 100_000),
        ('"pixels": 0', '"pixels": NaN, "x": 0'), ('"results": [', '"results": [3, '),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_in_a_sentence(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    path = tmp_path / "x.json"
    assert decided(tiny_model, "--at", "2", "--json", path) == 0
    whole = path.read_text()
    assert before in whole
    path.write_text(whole.replace(before, after, 1))
    broken = path.read_text()
    assert decided(tiny_model, "--at", "2,3", "--json", path) == 2
    assert "holds something else" in capsys.readouterr().err
    assert path.read_text() == broken


def test_results_that_are_there_twice_or_of_no_step_count_once_or_not(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert decided(tiny_model, "--at", "2", "--json", path) == 0
    content = json.loads(path.read_text())
    first = content["results"][0]
    content["results"] += [first, first | {"step": 999}, first | {"step": -3}]
    path.write_text(json.dumps(content))
    assert decided(tiny_model, "--at", "2,4", "--json", path) == 0
    results = json.loads(path.read_text())["results"]
    assert [one["step"] for one in results] == [2, 4]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--at", "1,2"], "Step 1 comes of the noise at the start alone. Choose 0, and 2 or later steps."),
        (["--at", "2,6"], "There is nothing left to be decided at step 6 of 6. Choose earlier ones."),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert decided(tiny_model, *arguments) == 2
    assert sentence in capsys.readouterr().err


def test_a_file_of_something_else_is_left_alone(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    assert decided(tiny_model, "--at", "2", "--json", path) == 2
    assert "holds something else" in capsys.readouterr().err
    assert path.read_text() == "[1]"


def test_of_labels_that_were_asked_for_nothing_is_left_to_be_decided() -> None:
    curves = {"coarse": Curve((0, 4), (0.3, 0.98), (0.1, 0.01)), "form": Curve((0, 4), (1.0, 1.0), (0.0, 0.0))}
    asked, free = ("\n".join(_table(curves, False, labels)) for labels in (("form",), ()))
    assert "form: asked for, and so decided before the first step" in asked
    assert "form: alike" not in asked
    assert "form: alike to 0.95 by step 0" in free
    assert "coarse: alike to 0.95 by step 4, not yet at 0" in asked


def test_results_of_batches_say_so_and_go_into_one_file_with_those_of_single_forks(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, batch = tmp_path / "alone.json", tmp_path / "batch.json"
    given = ("--at", "0,2,4", "--json")
    assert decided(tiny_model, *given, alone) == 0
    assert decided(tiny_model, "--batch", 2, *given, batch) == 0
    singles, together = (json.loads(path.read_text())["results"] for path in (alone, batch))
    assert all("batch" not in one for one in singles)
    assert [one.pop("batch") for one in together] == [2, 2, 2]
    for one, other in zip(singles, together, strict=True):
        assert one["pixels"] == pytest.approx(other["pixels"], abs=1e-4)
    before = batch.read_text()
    assert decided(tiny_model, "--batch", 3, *given, batch) == 0  # nothing is left to be measured
    assert batch.read_text() == before
    assert decided(tiny_model, "--batch", 3, "--at", "3", "--json", batch) == 0
    assert decided(tiny_model, "--at", "5", "--json", batch) == 0
    said = {one["step"]: one.get("batch") for one in json.loads(batch.read_text())["results"]}
    assert said == {0: 2, 2: 2, 3: 3, 4: 2, 5: None}


@pytest.mark.parametrize("size", ["0", "-2", "1.5", "many", "true"])
def test_a_size_of_batches_that_is_none_is_refused(
    size: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(SystemExit) as left:
        decided(tiny_model, f"--batch={size}")
    assert left.value.code == 2
    assert "The size of a batch is" in capsys.readouterr().err
    assert decided(tiny_model, "--batch", 2, "--at", "2", "--json", path) == 0
    told = f'"{size}"' if size == "many" else size
    path.write_text(path.read_text().replace('"batch": 2', f'"batch": {told}'))
    assert decided(tiny_model, "--at", "2,3", "--json", path) == 2
    assert "holds something else" in capsys.readouterr().err


def test_each_of_several_gpus_has_a_process_of_its_own(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted GPUs, and planted results of them."""
    several = (*(devices.Device(f"cuda:{place}", "A GPU") for place in range(2)), devices.Device("cpu", "CPU"))
    monkeypatch.setattr(devices, "devices", lambda: several)
    given: dict[int, set[str]] = {}

    def submit(_, place, unit):
        given.setdefault(place, set()).add(unit.request.device)
        done: Future[Decision] = Future()
        done.set_result(Decision(unit.seed, unit.step, {"pixels": 0.5}))
        return done

    monkeypatch.setattr(processes.ProcessWorkers, "_submit", submit)
    path = tmp_path / "curve.json"
    assert decided(tiny_model, "--device", "cuda", "--workers", 2, "--seeds", 2, "--at", "2,4", "--json", path) == 0
    assert given == {0: {"cuda:0"}, 1: {"cuda:1"}}
    assert len(json.loads(path.read_text())["results"]) == 4
