"""Weights in pickles: converted in the sandbox, opened from the copy; nothing in a hostile one is ever run."""

import io
import json
import os
import pickle
import shutil
import tarfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.diffusion.models import conversion, pickles, sandbox
from sculptor_app.diffusion.models.conversion import convert_files, read_pickle
from sculptor_app.diffusion.models.loader import build, convert_pickles, inspect_model
from sculptor_app.diffusion.models.sandbox import check_in_sandbox
from sculptor_app.diffusion.models.verdict import LoadingProgress, LoadingStage, ModelRefused, Unfit
from tests.helpers.diffusers_models import write_pickle

BIN = "diffusion_pytorch_model.bin"
WEIGHT = {"a": torch.arange(6.0).reshape(2, 3)}


def as_bin(folder: Path, name: str, shards: int = 1) -> None:
    """The weights of a component as people have them: one pickle, or shards and an index."""
    (path,) = (folder / name).glob("*.safetensors")
    weights = safetensors.torch.load(path.read_bytes())
    path.unlink()
    stem = "pytorch_model" if name == "text_encoder" else "diffusion_pytorch_model"
    if shards == 1:
        torch.save(weights, folder / name / f"{stem}.bin")
        return
    placed = {key: f"{stem}-{k % shards + 1:05}-of-{shards:05}.bin" for k, key in enumerate(sorted(weights))}
    for file in set(placed.values()):
        torch.save({key: weights[key] for key in placed if placed[key] == file}, folder / name / file)
    (folder / name / f"{stem}.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


@pytest.fixture
def pickled(sd: Path) -> Path:
    """A Stable Diffusion with its UNet in one pickle and its text encoder in two."""
    as_bin(sd, "unet")
    as_bin(sd, "text_encoder", shards=2)
    return sd


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Conversions are made in this process, which takes no seconds; what was asked of the sandbox."""
    asked: list[list[str]] = []

    def run(task: list[str], **_: Any) -> list[Any]:
        asked.append(task)
        convert_files([Path(each) for each in task[3:]], Path(task[1]), task[2])
        return []

    monkeypatch.setattr(sandbox, "run", run)
    return asked


def states(pipeline: Any) -> dict[str, torch.Tensor]:
    parts = {"unet": pipeline.unet, "vae": pipeline.vae, "text_encoder": pipeline.text_encoder}
    return {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}


def test_pickles_are_asked_for_converted_in_the_sandbox_and_opened_in_it(whole_sd: Path, pickled: Path) -> None:
    before = inspect_model(pickled)
    assert [each.message for each in before.refusals] == [
        f"{pickled}/text_encoder has weights only in 'pytorch_model-00001-of-00002.bin', a pickle.",
        f"{pickled}/unet has weights only in '{BIN}', a pickle.",
    ]
    assert all("--convert-pickles reads it in a sandbox" in each.explanation for each in before.refusals)
    assert {each.name: each.stored_bytes for each in before.pickles} == {
        "unet": (pickled / "unet" / BIN).stat().st_size,
        "text_encoder": sum(path.stat().st_size for path in (pickled / "text_encoder").glob("*.bin")),
    }
    reports: list[LoadingProgress] = []
    convert_pickles(pickled, report=reports.append)
    assert reports == [
        LoadingProgress(LoadingStage.CONVERTING, "text_encoder", 1, 2),
        LoadingProgress(LoadingStage.CONVERTING, "unet", 2, 2),
    ]
    verdict = inspect_model(pickled)
    assert (verdict.findings, verdict.pickles) == ((), ())
    assert verdict.parameter_count == inspect_model(whole_sd).parameter_count
    check_in_sandbox(verdict, "float32")
    ours, theirs = states(build(verdict, "float32")), states(build(inspect_model(whole_sd), "float32"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_hostile_pickle_is_refused_by_the_sandbox_and_leaves_nothing(pickled: Path, canary: Path) -> None:
    write_pickle(pickled / "unet" / BIN, canary)
    shutil.rmtree(pickled / "text_encoder")
    with pytest.raises(ModelRefused, match=r"diffusion_pytorch_model\.bin holds more than weights"):
        convert_pickles(pickled)
    assert not canary.exists()
    assert not inspect_model(pickled).fit
    assert not list(sandbox.converted_folder().glob("*"))


def test_copies_are_kept_by_content(pickled: Path, here: list[Any], tmp_path: Path) -> None:
    convert_pickles(pickled)
    assert len(here) == 2
    convert_pickles(pickled)
    assert inspect_model(pickled).fit
    other = Path(shutil.copytree(pickled, tmp_path / "other"))  # the same content at another place and time
    assert not inspect_model(other).fit
    convert_pickles(other)
    assert len(here) == 2
    assert inspect_model(other).fit
    fingerprint = inspect_model(other).fingerprint
    (other / "unet" / BIN).touch()  # perhaps it is another
    assert len(inspect_model(other).pickles) == 1
    convert_pickles(other)
    assert len(here) == 2
    assert inspect_model(other).fingerprint != fingerprint
    torch.save({"conv_in.bias": torch.ones(8)}, other / "unet" / BIN)
    convert_pickles(other)
    assert len(here) == 3


def test_a_copy_goes_with_the_settings_that_it_was_made_with(pickled: Path, here: list[Any]) -> None:
    convert_pickles(pickled)
    path = pickled / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_size": 16}))
    assert [each.name for each in inspect_model(pickled).pickles] == ["unet"]
    convert_pickles(pickled)
    assert build(inspect_model(pickled), "float32").unet.config.sample_size == 16


def test_safetensors_beside_pickles_are_read_alone(sd: Path, canary: Path) -> None:
    write_pickle(sd / "unet" / BIN, canary)
    verdict = inspect_model(sd)
    assert (verdict.fit, verdict.pickles) == (True, ())


def test_a_checkpoint_in_a_pickle_is_opened_from_its_copy(here: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {"decoder.conv_in.weight": torch.ones(2)}, "global_step": 7}, path)
    (finding,) = inspect_model(path).refusals
    assert finding.message == f"{path} is no safetensors file, but a pickle."
    assert finding.pickled_bytes == path.stat().st_size
    convert_pickles(path)
    (finding,) = inspect_model(path).refusals
    assert "holds a VAE, one part of a pipeline" in finding.message


# What is in them -----------------------------------------------------------------------------------------------------


def saved(content: Any, **how: Any) -> Callable[[Path], object]:
    return lambda path: torch.save(content, path, **how)


shared = torch.arange(8.0)
GOOD: dict[str, tuple[Callable[[Path], object], dict[str, torch.Tensor]]] = {
    "as torch writes it": (saved(WEIGHT), WEIGHT),
    "as it wrote it long ago": (saved(WEIGHT, _use_new_zipfile_serialization=False), WEIGHT),
    "halves": (saved({"a": torch.ones(3).half(), "b": torch.ones(3).bfloat16()}),
               {"a": torch.ones(3).half(), "b": torch.ones(3).bfloat16()}),
    "tied": (saved({"a": shared, "b": shared}), {"a": shared, "b": shared}),
    "a part of another": (saved({"a": shared[2:4]}), {"a": shared[2:4]}),
    "not in order": (saved({"a": WEIGHT["a"].T}), {"a": WEIGHT["a"].T}),
    "parameters": (saved(OrderedDict(a=torch.nn.Parameter(torch.ones(2)))), {"a": torch.ones(2)}),
    "nested": (saved({"state_dict": WEIGHT, "epoch": 3, "optimizer": {"x": [1]}}), WEIGHT),
    "with notes": (saved(WEIGHT | {"version": "1.0", "step": 7, "none": None}), WEIGHT),
    "numbers and truths": (saved({"a": torch.tensor(7), "b": torch.tensor([True])}),
                           {"a": torch.tensor(7), "b": torch.tensor([True])}),
    "an empty one": (saved({"a": torch.ones(0, 3)}), {"a": torch.ones(0, 3)}),
}  # fmt: skip


@pytest.mark.parametrize("what", GOOD)
def test_weights_come_through_as_they_are(what: str, tmp_path: Path) -> None:
    write, wanted = GOOD[what]
    write(tmp_path / "x.bin")
    convert_files([tmp_path / "x.bin"], tmp_path, "model")
    found = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(found[name], tensor)


class Reduce:
    """An object whose pickle calls something."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self._made = call, arguments

    def __reduce__(self) -> Any:
        return self._made


def pickled_by_python(make: Callable[[Path], Any], protocol: int = 2) -> Callable[[Path, Path], object]:
    return lambda path, canary: path.write_bytes(pickle.dumps(make(canary), protocol=protocol))


def torch_saved(make: Callable[[Path], Any]) -> Callable[[Path, Path], object]:
    return lambda path, canary: torch.save(make(canary), path)


def deep(path: Path, _: Path) -> None:
    path.write_bytes(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")


def cut_zip(path: Path, _: Path) -> None:
    torch.save(WEIGHT, path)
    path.write_bytes(path.read_bytes()[:-40])


def huge_storage(path: Path, _: Path) -> None:
    """A file that claims 3 · 2**40 numbers for the six that it holds."""
    torch.save(WEIGHT, path)
    with zipfile.ZipFile(path) as source:
        records = {name: source.read(name) for name in source.namelist()}
    (index,) = (name for name in records if name.endswith("data.pkl"))
    assert b"K\x06t" in records[index]
    many = b"\x8a\x06" + (1 << 40).to_bytes(6, "little")
    assert b"K\x02K\x03\x86" in records[index]
    records[index] = (
        records[index].replace(b"K\x06t", many + b"t", 1).replace(b"K\x02K\x03\x86", many + b"K\x03\x86", 1)
    )
    with zipfile.ZipFile(path, "w") as target:
        for name, content in records.items():
            target.writestr(name, content)


def old_tar(path: Path, canary: Path) -> None:
    with tarfile.open(path, "w") as target:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps(Reduce(os.system, f"touch {canary}"), protocol=2)
            about = tarfile.TarInfo(name)
            about.size = len(content)
            target.addfile(about, io.BytesIO(content))


HOSTILE: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a shell": (torch_saved(lambda c: {"a": Reduce(os.system, f"touch {c}")}), r"holds more than weights: \w+\.system"),
    "a shell without torch": (pickled_by_python(lambda c: Reduce(os.system, f"touch {c}")), "holds more than weights"),
    "a file": (torch_saved(lambda c: {"a": Reduce(open, str(c), "w")}), "holds more than weights: "),
    "an evaluation": (pickled_by_python(lambda c: Reduce(eval, f"open({str(c)!r}, 'w')")), "holds more than weights"),
    "a pickle in a pickle": (
        torch_saved(lambda c: {"a": Reduce(pickle.loads, pickle.dumps(Reduce(os.system, f"touch {c}")))}),
        "holds more than weights: _?pickle.loads",
    ),
    "a new protocol": (pickled_by_python(lambda c: Reduce(os.system, f"touch {c}"), protocol=4), "more than weights"),
    "a whole module": (torch_saved(lambda c: torch.nn.Linear(2, 2)), "holds more than weights: torch.nn"),
    "a module of others": (torch_saved(lambda c: {"a": Path(c)}), "holds more than weights: pathlib"),
    "deep nesting": (deep, "holds no weights by name|cannot be read as weights"),
    "a zip that is cut off": (cut_zip, r"cannot be read as weights \(RuntimeError"),
    "a storage larger than the file": (huge_storage, "cannot be read as weights|holds weights of"),
    "the format of long ago": (old_tar, "cannot be read as weights|more than weights"),
    "nothing but noise": (lambda p, c: p.write_bytes(bytes(range(256))), "cannot be read as weights|more than weights"),
    "a list": (torch_saved(lambda c: [torch.ones(2)]), "holds no weights by name"),
    "names that are none": (torch_saved(lambda c: {7: torch.ones(2)}), "names a weight 7"),
    "long names": (torch_saved(lambda c: {"x" * 600: torch.ones(2)}), "names a weight 'xxx"),
    "a list among the weights": (torch_saved(lambda c: WEIGHT | {"b": [1]}), r"'b' of a kind .* \(list"),
    "sparse": (torch_saved(lambda c: {"a": torch.eye(3).to_sparse()}), r"'a' of a kind that is none of weights"),
    "complex": (torch_saved(lambda c: {"a": torch.ones(2, dtype=torch.cfloat)}), r"none of weights \(torch\.complex64"),
    "one number spread out": (
        torch_saved(lambda c: {"a": torch.ones(1).expand(10**12)}), "holds weights of 4,000,000,000,000 bytes in a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_hostile_is_run_and_each_is_one_sentence(what: str, tmp_path: Path, canary: Path) -> None:
    write, words = HOSTILE[what]
    path = tmp_path / "x.bin"
    write(path, canary)
    with pytest.raises(Unfit, match=words) as caught:
        read_pickle(path)
    assert not canary.exists()
    assert "\n" not in str(caught.value.finding)
    assert caught.value.finding.message.startswith(str(path))


# The cache -----------------------------------------------------------------------------------------------------------


def test_a_conversion_that_is_stopped_leaves_nothing(pickled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    start = sandbox._start
    processes = []

    def begin(*arguments: Any) -> Any:
        processes.append(start(*arguments))
        stop.set()
        return processes[-1]

    monkeypatch.setattr(sandbox, "_start", begin)
    with pytest.raises(Cancelled):
        convert_pickles(pickled, stop=stop)
    assert [process.returncode for process in processes] == [-9]
    assert not list(sandbox.converted_folder().glob("*"))


def test_a_disk_that_is_too_small_is_one_sentence(pickled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles.shutil, "disk_usage", lambda _: type("", (), {"free": 1000}))
    with pytest.raises(ModelFolderError, match=r"copy of the weights takes .* kB, and the disk of .* has 1 kB left"):
        convert_pickles(pickled)


def test_a_disk_that_fills_meanwhile_is_one_sentence(pickled: Path, here: list[Any], monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion.os, "fsync", full)
    with pytest.raises(ModelFolderError, match=r"cannot be written to .* \(No space left on device\)\. Free"):
        convert_pickles(pickled)
    assert not list(sandbox.converted_folder().glob("*"))


def test_copies_are_bounded_and_what_was_broken_off_is_swept(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "used", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(bytes(100))
        os.utime(tmp_path / name, (number, number))
    os.utime(tmp_path / "used", (9, 9))
    for name in ("x.999999999.part", f"y.{os.getpid()}.part", "sums"):
        (tmp_path / name).mkdir()
    pickles.sweep(tmp_path, most_bytes=200)
    assert {each.name for each in tmp_path.iterdir()} == {"used", "new", f"y.{os.getpid()}.part", "sums"}
    pickles.sweep(tmp_path, keep=[tmp_path / "new"], most_bytes=0)
    assert {each.name for each in tmp_path.iterdir()} == {"new", f"y.{os.getpid()}.part", "sums"}
