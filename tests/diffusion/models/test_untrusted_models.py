"""Malicious and broken folders: refused with what was found and why it matters; nothing runs, hangs or raises."""

import json
import os
import re
import shutil
import socket
import struct
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models import folder, sandbox
from sculptor_app.diffusion.models.loader import inspect_model, load_pipeline
from sculptor_app.diffusion.models.verdict import ModelRefused
from tests.helpers.diffusers_models import WEIGHTS, edit_json, write_header, write_pickle, write_program

INDEX, UNET, SCHEDULER = "model_index.json", "unet/config.json", "scheduler/scheduler_config.json"
MOST_SECONDS = 10.0

Damage = Callable[[Path, Path], object]
"""What is done to a copy of a good model: the folder, and the file that would tell that code had run."""


def index(**changes: object) -> Damage:
    return lambda model, _: edit_json(model / INDEX, **changes)


def unet(**changes: object) -> Damage:
    return lambda model, _: edit_json(model / UNET, **changes)


def scheduler(**changes: object) -> Damage:
    return lambda model, _: edit_json(model / SCHEDULER, **changes)


def text(name: str, content: bytes) -> Damage:
    return lambda model, _: (model / name).write_bytes(content)


def program(name: str, *more: Damage) -> Damage:
    def damage(model: Path, canary: Path) -> None:
        (model / name).parent.mkdir(exist_ok=True)
        write_program(model / name, canary)
        for each in more:
            each(model, canary)

    return damage


def pickled(name: str, *, alone: bool) -> Damage:
    def damage(model: Path, canary: Path) -> None:
        if alone:
            (model / "unet" / WEIGHTS).unlink()
        write_pickle(model / name, canary)

    return damage


def replaced(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(model: Path, _: Path) -> None:
        (model / name).unlink()
        make(model / name)

    return damage


def link(name: str, target: str) -> Damage:
    return replaced(name, lambda path: path.symlink_to(target))


def sharded(weight_map: object, **more: object) -> Damage:
    """An index of shards beside the weights; "whole" stands for the right map to the file that is there."""

    def damage(model: Path, _: Path) -> None:
        path = model / "unet" / f"{WEIGHTS}.index.json"
        path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map} | more))

    return damage


def header(content: object, data: bytes = b"", length: int | None = None) -> Damage:
    return lambda model, _: write_header(model / "unet" / WEIGHTS, content, data, length)


def cut(model: Path, _: Path) -> None:
    path = model / "unet" / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])


def listening(path: Path) -> None:
    """A socket's file; relative, as such a path may not be long."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


def deep_folders(model: Path, _: Path) -> None:
    model.joinpath(*"abcdefghijkl").mkdir(parents=True)


def many_files(model: Path, _: Path) -> None:
    for number in range(folder.MOST_FILES + 1):
        (model / f"{number}.txt").touch()


CODE = {
    "a pipeline of its own": (
        program("pipeline.py", index(_class_name=["pipeline", "Any"])), r"pipeline\.py is a program that .* has run",
    ),
    "the file that diffusers looks for unasked": (program("None.py"), r"None\.py is a program that .* has run"),
    "a component of its own": (program("unet/my.py", index(unet=["my", "Any"])), "library 'my'"),
    "the program of a component": (program("unet/my.py", index(unet=["my", "Any"])), r"my\.py is a program that"),
    "a component named after a module": (program("unet/os.py", index(unet=["os", "system"])), "library 'os'"),
    "any module": (index(unet=["antigravity", "fly"]), "library 'antigravity'"),
    "a module of diffusers": (index(unet=["diffusers.utils", "logging"]), r"library 'diffusers\.utils'"),
    "a builtin": (index(unet=["builtins", "eval"]), "library 'builtins'"),
    "a module that this program has": (index(unet=["sculptor_app.cli", "main"]), r"library 'sculptor_app\.cli'"),
    "a function of diffusers": (index(unet=["diffusers", "logging"]), "class 'logging' of 'diffusers'"),
    "a pipeline as a part": (index(unet=["diffusers", "DDPMPipeline"]), "class 'DDPMPipeline' of 'diffusers'"),
    "the class that reads auto_map": (index(unet=["diffusers", "AutoModel"]), "class 'AutoModel' of 'diffusers'"),
    "a base class": (index(unet=["diffusers", "ModelMixin"]), "class 'ModelMixin' of 'diffusers'"),
    "a hidden name": (index(unet=["diffusers", "__class__"]), "class '__class__' of 'diffusers'"),
    "a class that is not used": (index(more=["os", "system"]), "library 'os'"),
    "custom_pipeline": (index(custom_pipeline="/tmp/x"), "has custom_pipeline: '/tmp/x'"),
    "a pipeline that is none": (index(_class_name="UNet2DModel"), "pipeline 'UNet2DModel' is not known to diffusers"),
    "the base pipeline": (index(_class_name="DiffusionPipeline"), "pipeline 'DiffusionPipeline' is not known"),
    "a pipeline of the future": (index(_class_name="Flux9Pipeline"), "pipeline 'Flux9Pipeline' is not known"),
    "a module as a pipeline": (index(_class_name="utils"), "pipeline 'utils' is not known"),
    "auto_map": (unet(auto_map={"AutoModel": "my.Any"}), "has auto_map"),
    "auto_map inside": (unet(inner={"more": [{"auto_map": "x"}]}), "has auto_map: 'x'"),
    "code from the hub": (unet(_attn_implementation="someone/kernel"), "has _attn_implementation: 'someone/kernel'"),
    "quantised": (unet(quantization_config={"quant_method": "bitsandbytes"}), "has quantization_config"),
}  # fmt: skip

PICKLES = {
    "bin alone": (pickled("unet/diffusion_pytorch_model.bin", alone=True), "weights only in 'diffusion_pytorch_model"),
    "ckpt alone": (pickled("unet/model.ckpt", alone=True), r"weights only in 'model\.ckpt'"),
    "onnx alone": (pickled("unet/model.onnx", alone=True), r"weights only in 'model\.onnx'"),
    "a pickle called safetensors": (pickled(f"unet/{WEIGHTS}", alone=True), "is a pickle under another name"),
    "a zip called safetensors": (text(f"unet/{WEIGHTS}", b"PK\x03\x04" + bytes(99)), "a pickle under another name"),
    "a pickle at the scheduler": (pickled("scheduler/state.pkl", alone=False), "state.pkl is a pickle"),
    "a shard that is a pickle": (sharded({"a": "x.bin"}), r"names the weight file 'x\.bin'"),
}  # fmt: skip

PATHS = {
    "a name that leads out": (index(**{"../unet": ["diffusers", "UNet2DModel"]}), r"component '\.\./unet'"),
    "an absolute name": (index(**{"/etc": ["diffusers", "UNet2DModel"]}), "component '/etc'"),
    "a shard above": (sharded({"a": "../../x.safetensors"}), r"weight file '\.\./\.\./x\.safetensors'"),
    "an absolute shard": (sharded({"a": "/x.safetensors"}), "weight file '/x.safetensors'"),
    "a Windows shard": (sharded({"a": "..\\x.safetensors"}), "weight file"),
    "a hidden shard": (sharded({"a": ".x.safetensors"}), r"weight file '\.x\.safetensors'"),
    "a shard that is its own index": (sharded({"a": f"{WEIGHTS}.index.json"}), "names the weight file"),
    "weights linked from elsewhere": (link(f"unet/{WEIGHTS}", "/etc/passwd"), "link out of the folder, to /etc/passwd"),
    "settings linked from elsewhere": (link(UNET, "/etc/passwd"), "is a link out of the folder"),
    "a link to itself": (link(UNET, "config.json"), "config.json is missing"),
    "a link to nowhere": (link(f"unet/{WEIGHTS}", "gone"), "safetensors is missing"),
    "a link to a device": (link(UNET, "/dev/zero"), "is a link out of the folder, to /dev/zero"),
    "a folder that is a link": (
        lambda m, _: (m.joinpath("scheduler").rename(m / "s"), (m / "scheduler").symlink_to("s")),
        "scheduler is a link to a folder",
    ),
    "a circle of folders": (lambda m, _: (m / "unet" / "loop").symlink_to(".."), "is a link to a folder"),
    "a FIFO": (replaced(UNET, os.mkfifo), "config.json is no regular file"),
    "a FIFO for weights": (replaced(f"unet/{WEIGHTS}", os.mkfifo), "is no regular file"),
    "a socket": (replaced(UNET, listening), "is no regular file"),
    "a folder for a file": (replaced(UNET, Path.mkdir), "config.json is missing"),
    "deep folders": (deep_folders, "folders deep"),
    "many files": (many_files, "more than 300 files"),
    "a name with a terminal's commands": (
        lambda m, _: (m / "\x1b[2J\n.json").symlink_to("/etc/passwd"), "\ufffd\\[2J\ufffd.json is a link",
    ),
}  # fmt: skip

HEADERS = {
    "no bytes": (text(f"unet/{WEIGHTS}", b""), "has 0 bytes"),
    "cut off": (cut, "of data, and the file has"),
    "too long": (header({}, length=1 << 40), "its header, 1,099,511,627,776"),
    "negative": (text(f"unet/{WEIGHTS}", struct.pack("<q", -8)), "its header, 18,446,744,073,709,551,608"),
    "overlapping": (
        header({n: {"dtype": "U8", "shape": [2], "data_offsets": [i, i + 2]} for i, n in enumerate("ab")}, bytes(3)),
        "overlaps another",
    ),
    "an unknown dtype": (header({"a": {"dtype": "X", "shape": [], "data_offsets": [0, 0]}}), "unknown dtype 'X'"),
    "negative offsets": (header({"a": {"dtype": "U8", "shape": [8], "data_offsets": [-8, 0]}}), "the offsets"),
}  # fmt: skip

SHARDS = {
    "no map": (sharded([]), "no weight_map"),
    "an empty map": (sharded({}), "no weight_map"),
    "no metadata": (sharded({"a": WEIGHTS}, metadata=None), "no weight_map with metadata"),
    "numbers": (sharded({"a": 7}), "names the weight file 7"),
    "a shard that is missing": (sharded({"a": "b.safetensors"}), "b.safetensors is missing"),
    "weights that are not there": (sharded({"a": WEIGHTS}), "disagree about 'a'"),
}  # fmt: skip

JSON = {
    "no index": (lambda m, _: (m / INDEX).unlink(), "model_index.json is missing"),
    "an index of nothing": (text(INDEX, b"{}"), "pipeline None is not known"),
    "an index that is a list": (text(INDEX, b"[]"), "holds no JSON object"),
    "an index that is no JSON": (text(INDEX, b"{'a': 1}"), "model_index.json cannot be read"),
    "an index in UTF-16": (text(INDEX, '{"a": 1}'.encode("utf-16")), "model_index.json cannot be read"),
    "a deep index": (text(INDEX, b'{"a":' * 100_000), "nested more than 32"),
    "a gigabyte": (lambda m, _: os.truncate(m / INDEX, 1 << 30), "1,073,741,824 bytes; allowed are 1,048,576"),
    "no settings": (lambda m, _: (m / UNET).unlink(), "unet/config.json is missing"),
    "no scheduler": (lambda m, _: shutil.rmtree(m / "scheduler"), "scheduler_config.json is missing"),
    "no network": (lambda m, _: shutil.rmtree(m / "unet"), "unet is missing"),
    "no weights": (lambda m, _: (m / "unet" / WEIGHTS).unlink(), "diffusion_pytorch_model.safetensors is missing"),
    "an entry too few": (lambda m, _: (m / INDEX).write_text('{"_class_name": "DDPMPipeline"}'), "names no scheduler"),
    "an entry that is a number": (index(unet=7), "says 7 for unet"),
    "an entry of three": (index(unet=["diffusers", "UNet2DModel", "x"]), "for unet. It must name a library"),
    "an entry of lists": (index(unet=[["diffusers"], {}]), "for unet"),
    "a class that is a number": (index(_class_name=7), "pipeline 7 is not known"),
    "a class that is an object": (index(_class_name={"a": []}), "is not known"),
}  # fmt: skip

NUMBERS = {
    "10^9 layers": (unet(layers_per_block=10**9), "layers_per_block in .* is 1000000000"),
    "10^6 channels": (unet(block_out_channels=[8, 10**6]), "block_out_channels in .* is 1000000"),
    "a picture of 10^7": (unet(sample_size=10**7), "sample_size in .* is 10000000"),
    "infinite": (text(UNET, b'{"sample_size": 1e999}'), "sample_size in .* is inf"),
    "negative": (unet(in_channels=-5000), "in_channels in .* is -5000"),
    "many blocks": (unet(down_block_types=["DownBlock2D"] * 30_000), "has 30,000 items"),
    "long words": (unet(act_fn="x" * 200_000), "has 200,000 letters"),
    "10^12 timesteps": (scheduler(num_train_timesteps=10**12), "num_train_timesteps in .* is 1000000000000"),
    "no timesteps": (scheduler(num_train_timesteps=0), "num_train_timesteps in .* is 0"),
    "a number of 5,000 digits": (text(UNET, b'{"a": ' + b"9" * 5000 + b"}"), "cannot be read"),
    "NaN": (text(UNET, b'{"a": NaN}'), "NaN is no number"),
}  # fmt: skip

STRANGERS = {
    f"{group}: {name}": damage
    for group, damages in {
        "code": CODE, "pickles": PICKLES, "paths": PATHS, "headers": HEADERS, "shards": SHARDS, "JSON": JSON,
        "numbers": NUMBERS,
    }.items()
    for name, damage in damages.items()
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused here is refused before any process is started for it."""

    def start(*_: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(sandbox, "_start", start)
    monkeypatch.setattr(folder, "MOST_FILES", 300)  # to have them made quickly


@pytest.mark.parametrize("what", STRANGERS)
def test_an_untrusted_model_is_refused_before_anything_is_built(what: str, model: Path, canary: Path) -> None:
    damage, words = STRANGERS[what]
    damage(model, canary)
    started = time.perf_counter()
    verdict = inspect_model(model)
    assert not verdict.fit
    with pytest.raises(ModelRefused) as caught:
        load_pipeline(model)
    assert time.perf_counter() - started < MOST_SECONDS
    assert not canary.exists()
    texts = [str(finding) for finding in verdict.refusals]
    assert any(re.search(words, each) for each in texts), texts
    assert caught.value.findings == verdict.findings
    for finding in verdict.refusals:
        assert finding.message.endswith(".")
        assert finding.explanation.endswith(".")
        assert all(each.isprintable() for each in (finding.message, finding.explanation))


def test_all_reasons_are_listed_and_the_first_is_said(model: Path, canary: Path) -> None:
    damages = CODE["custom_pipeline"], NUMBERS["negative"], HEADERS["cut off"], NUMBERS["no timesteps"]
    for damage in damages:
        damage[0](model, canary)
    verdict = inspect_model(model)
    assert len(verdict.refusals) == 4
    with pytest.raises(ModelRefused, match=r"There are 3 more; `sculptor-app check-model`"):
        verdict.refuse()


def test_what_is_unreadable_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the system's answer is given here in its place."""
    opened = os.open

    def refuse(path: Any, *arguments: Any, **others: Any) -> int:
        if str(path).endswith("unet/config.json"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **others)

    monkeypatch.setattr(os, "open", refuse)
    assert [str(each) for each in inspect_model(model).findings] == [
        f"{model}/unet/config.json cannot be read (Permission denied). Copy the folder again from where it came."
    ]


@pytest.mark.parametrize("vanishing", range(6))
def test_a_folder_that_vanishes_in_mid_check(vanishing: int, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, calls = os.open, []

    def vanish(*arguments: Any, **others: Any) -> int:
        calls.append(arguments)
        if len(calls) == vanishing + 1:
            shutil.rmtree(model)
        return opened(*arguments, **others)

    monkeypatch.setattr(os, "open", vanish)
    verdict = inspect_model(model)
    assert vanishing >= len(calls) or not verdict.fit
    assert len(calls) > vanishing or verdict.fit


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone", "There is no folder"), ("a.ckpt", "has 0 bytes"), ("a.onnx", "is no safetensors file"),
     ("a.txt", "neither a folder nor"), ("a\0b", "cannot be read"), ("a.safetensors", "has 0 bytes")],
)  # fmt: skip
def test_what_is_no_folder(name: str, words: str, tmp_path: Path) -> None:
    if name not in ("gone", "a\0b"):
        (tmp_path / name).touch()
    with pytest.raises(ModelFolderError, match=words):
        inspect_model(tmp_path / name).refuse()


@pytest.mark.skipif(find_spec("torchsde") is not None, reason="torchsde is installed")
def test_what_needs_a_package_that_is_missing_says_so(model: Path) -> None:
    edit_json(model / INDEX, scheduler=["diffusers", "CosineDPMSolverMultistepScheduler"])
    (finding,) = inspect_model(model).refusals
    assert finding.message == (
        "'CosineDPMSolverMultistepScheduler' needs the Python package torchsde, which is not installed."
    )
    assert "`pip install torchsde`" in finding.explanation


def test_a_pickle_beside_whole_safetensors_is_left_alone(model: Path, canary: Path) -> None:
    write_pickle(model / "unet" / "diffusion_pytorch_model.bin", canary)
    write_pickle(model / "v1-5-pruned.ckpt", canary)
    verdict = inspect_model(model)
    assert verdict.fit
    assert [each.message for each in verdict.findings] == [
        f"{model}/unet/diffusion_pytorch_model.bin is left alone; the safetensors files beside it are read."
    ]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CHANGES = st.dictionaries(
    st.sampled_from(
        ["_class_name", "unet", "scheduler", "sample_size", "block_out_channels", "num_train_timesteps", "x"]
    )
    | st.text(max_size=5),
    ANY | st.sampled_from(["diffusers", "UNet2DModel"]) | st.lists(st.sampled_from(["diffusers", "os", None])),
    max_size=3,
)


@pytest.mark.parametrize("name", [INDEX, UNET, SCHEDULER])
@example(changes={"": {"\n": 0}})
@given(changes=CHANGES)
@settings(max_examples=40)
def test_no_settings_make_the_check_itself_fail(name: str, changes: dict[str, Any], whole_ddpm: Path) -> None:
    path = whole_ddpm / name
    before = path.read_bytes()
    try:
        path.write_text(json.dumps(json.loads(before) | changes))
        findings = inspect_model(whole_ddpm).findings
        assert all(finding.message and finding.explanation for finding in findings)
    finally:
        path.write_bytes(before)
