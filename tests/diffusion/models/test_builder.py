"""Good models open and compute what diffusers itself computes, bit for bit; weights that are not whole are refused."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models import builder
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.models.loader import build, inspect_model
from sculptor_app.diffusion.models.verdict import LoadingProgress, Unfit
from tests.helpers.diffusers_models import NAMED, UNHEARD_OF, WEIGHTS, edit_json, edit_weights, save

MAKERS = NAMED | UNHEARD_OF
CALLS: dict[str, dict[str, Any]] = {
    "dit": {"class_labels": [1], "num_inference_steps": 2},
    "inpainting": {"image": torch.zeros(1, 3, 8, 8), "mask_image": torch.zeros(1, 1, 8, 8), "num_inference_steps": 2,
                   "jump_length": 1, "jump_n_sample": 1},
    "consistency": {"num_inference_steps": 2},
}  # fmt: skip


def output(pipeline: Any, name: str) -> np.ndarray:
    arguments = CALLS.get(name, {"num_inference_steps": 2})
    made = pipeline(**arguments, output_type="np", generator=torch.Generator().manual_seed(3), return_dict=False)
    return np.asarray(made[0])


@pytest.mark.parametrize("name", MAKERS)
def test_a_whole_model_is_fit_and_computes_what_diffusers_computes(name: str, tmp_path: Path) -> None:
    folder = save(MAKERS[name], tmp_path / name)
    verdict = inspect_model(folder)
    assert verdict.findings == ()
    reports: list[LoadingProgress] = []
    ours = build(verdict, "float32", reports.append)
    assert [each.part for each in reports] == [component.name for component in verdict.components]
    assert [each.number for each in reports] == list(range(1, reports[0].of + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = DiffusionPipeline.from_pretrained(folder, disable_mmap=True)
        assert type(ours) is type(theirs)
        np.testing.assert_array_equal(output(ours, name), output(theirs, name))
    for part in ours.components.values():
        if isinstance(part, torch.nn.Module):
            assert not part.training
            assert all(each.data_ptr() % builder.ALIGNMENT == 0 for each in part.parameters())


def test_a_scheduler_with_an_infinite_bound_is_fit(model: Path) -> None:
    DPMSolverMultistepScheduler().save_pretrained(model / "scheduler")
    assert "-Infinity" in (model / "scheduler" / "scheduler_config.json").read_text()
    edit_json(model / "model_index.json", scheduler=["diffusers", "DPMSolverMultistepScheduler"])
    assert build(inspect_model(model), "float32").scheduler.config.lambda_min_clipped == -float("inf")


def test_numbers_and_bytes_are_those_of_the_network(model: Path) -> None:
    verdict = inspect_model(model)
    network = build(verdict, "float32").unet
    assert verdict.parameter_count == sum(each.numel() for each in network.parameters())
    assert verdict.stored_bytes == (model / "unet" / WEIGHTS).stat().st_size


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_become_what_is_asked_for(dtype: str, model: Path) -> None:
    assert build(inspect_model(model), dtype).unet.dtype is getattr(torch, dtype)


def test_shards_and_variants_are_read(tmp_path: Path) -> None:
    folder = save(NAMED["ldm"], tmp_path / "model", max_shard_size="20KB", variant="fp16")
    assert len(list((folder / "unet").glob("*.safetensors"))) > 2
    verdict = inspect_model(folder)
    assert verdict.findings == ()
    assert {weights.variant for weights in verdict.weights} == {"fp16"}
    plain = save(NAMED["ldm"], tmp_path / "plain")
    np.testing.assert_array_equal(
        output(build(verdict, "float32"), "ldm"), output(build(inspect_model(plain), "float32"), "ldm")
    )


def test_the_plain_files_or_the_wanted_ones_where_both_are_there(tmp_path: Path) -> None:
    folder = save(NAMED["ddpm"], tmp_path / "model")
    save(NAMED["ddpm"], folder, variant="fp16")
    assert [weights.variant for weights in inspect_model(folder).weights] == [None]
    assert [weights.variant for weights in inspect_model(folder, "fp16").weights] == ["fp16"]
    assert [weights.variant for weights in inspect_model(folder, "ema").weights] == [None]


def test_a_snapshot_of_the_hubs_cache_is_read_through_its_links(model: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--someone--small"
    snapshot = repository / "snapshots" / ("0123456789" * 4)
    shutil.copytree(model, snapshot)
    blobs, shared = repository / "blobs", repository.parent / "blobs" / "ab"
    blobs.mkdir()
    shared.mkdir(parents=True)
    for number, file in enumerate(path for path in snapshot.rglob("*") if path.is_file()):
        blob = shared / f"{number:064x}" if file.name == WEIGHTS else blobs / str(number)
        file.rename(blob)
        file.symlink_to(blob)
    verdict = inspect_model(snapshot)
    assert verdict.findings == ()
    assert build(verdict, "float32").unet is not None
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(snapshot, elsewhere, symlinks=True)
    assert "is a link out of the folder" in str(inspect_model(elsewhere).refusals[0])


Change = Callable[[Path], object]


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    return lambda model: edit_weights(model / "unet" / WEIGHTS, change)


def settings(**changes: object) -> Change:
    return lambda model: edit_json(model / "unet" / "config.json", **changes)


NOT_WHOLE: dict[str, tuple[Change, str]] = {
    "one missing": (weights(lambda w: w.pop("conv_in.bias")), r"unet lacks 'conv_in\.bias'\."),
    "many missing": (weights(lambda w: [w.pop(n) for n in list(w) if "mid_block" in n]), "lacks 'mid_block.* more"),
    "one more": (weights(lambda w: w.update(more=torch.ones(1))), r"has the unknown 'more'\."),
    "others": (weights(lambda w: (w.clear(), w.update(more=torch.ones(1)))), "lacks"),
    "another shape": (weights(lambda w: w.update({"conv_in.bias": torch.ones(3)})), r"wrong shape for 'conv_in\.bias'"),
    "a NaN": (weights(lambda w: w["conv_in.bias"][1:2].fill_(float("nan"))), r"NaN .*'conv_in\.bias'"),
    "an infinity": (weights(lambda w: w["conv_in.bias"][1:2].fill_(-float("inf"))), r"infinite .*'conv_in\.bias'"),
    "settings of another": (settings(block_out_channels=[8, 16]), "wrong shape|lacks"),
    "an unknown block": (settings(down_block_types=["X", "AttnDownBlock2D"]), "nothing that can be built"),
    "a word for a number": (settings(layers_per_block="many"), "nothing that can be built"),
    "a list for a number": (settings(norm_num_groups=[4]), "nothing that can be built"),
    "an object for a list": (settings(block_out_channels={"a": 8}), "nothing that can be built"),
    "a number for a list": (settings(block_out_channels=8), "nothing that can be built"),
    "nothing for a list": (settings(block_out_channels=None), "nothing that can be built"),
    "no blocks": (settings(block_out_channels=[], down_block_types=[], up_block_types=[]), "nothing that can be built"),
    "a scheduler without sense": (
        lambda m: edit_json(m / "scheduler" / "scheduler_config.json", beta_schedule="x"), "nothing that can be built",
    ),
    "a scheduler of words": (
        lambda m: edit_json(m / "scheduler" / "scheduler_config.json", beta_start="x"), "nothing that can be built",
    ),
}  # fmt: skip

SEEN_BEFORE = {"a word for a number", "an object for a list", "a scheduler of words", "a scheduler without sense"}
"""What the settings' check refuses already; the builder stands for itself."""


@pytest.mark.parametrize("what", NOT_WHOLE)
def test_what_is_not_whole_is_refused_when_it_is_built(what: str, model: Path) -> None:
    change, words = NOT_WHOLE[what]
    change(model)
    verdict = inspect_model(model)
    refusals = [each.message for each in verdict.refusals]
    assert len(refusals) == (what in SEEN_BEFORE)
    assert all("only numbers can stand there" in each or "does not know" in each for each in refusals)
    with pytest.raises(Unfit, match=words) as caught:
        build(verdict, "float32")
    assert caught.value.finding.explanation.endswith(".")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_no_number_is_found_anywhere(dtype: torch.dtype, value: float) -> None:
    for place in (0, 1, 4095, 4096, 9998, 9999):
        tensor = torch.zeros(10_000, dtype=dtype)
        assert builder.is_finite(tensor)
        tensor[place] = value
        assert not builder.is_finite(tensor)
    assert builder.is_finite(torch.zeros(0))
    assert builder.is_finite(torch.tensor([1]))


def test_what_is_left_without_a_value_is_named() -> None:
    with torch.device("meta"):
        parts = torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2, affine=False)
    for part, name in zip(parts, ("weight", "running_mean"), strict=True):
        with pytest.raises(Unfit, match=rf"^there leaves '{name}' without a value\.$"):
            builder.check_values("there", part)


def test_loaders_are_quiet_and_left_as_they_were(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from diffusers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    edit_weights(model / "unet" / WEIGHTS, lambda w: w.pop("conv_in.bias"))
    with pytest.raises(Unfit):
        build(inspect_model(model), "float32")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


BREAKAGES: dict[str, tuple[Change, str]] = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "missing"),
    "index is no JSON": (lambda f: (f / "model_index.json").write_text("{"), "cannot be read"),
    "index is a list": (lambda f: (f / "model_index.json").write_text("[]"), "no JSON object"),
    "another pipeline": (lambda f: edit_json(f / "model_index.json", _class_name="FluxPipeline"), "FluxPipeline"),
    "no weights": (lambda f: (f / "unet" / WEIGHTS).unlink(), "missing"),
    "cut-off weights": (
        lambda f: (f / "unet" / WEIGHTS).write_bytes(b"\x10\0\0\0\0\0\0\0{}"), "damaged",
    ),
    "a missing tensor": (weights(lambda w: w.pop("conv_in.bias")), "lacks"),
    "an unknown tensor": (weights(lambda w: w.update(more=torch.ones(1))), "unknown 'more'"),
    "a wrong shape": (weights(lambda w: w.update({"conv_in.bias": torch.ones(3)})), "wrong shape"),
    "not a number": (weights(lambda w: w["conv_in.bias"].fill_(float("nan"))), "NaN or infinite"),
    "a huge network": (settings(block_out_channels=[10**9]), "1000000000"),
    "a huge picture": (settings(sample_size=10**7), "10000000"),
    "no such network": (settings(down_block_types=["X", "Y"]), "no network"),
    "another patch": (lambda f: edit_json(f / "model_index.json", patch_size=2), "12 channels"),
    "another label width": (lambda f: edit_json(f / "label_embedding" / "config.json", width=32), "wrong shape"),
    "too few names": (lambda f: edit_json(f / "model_index.json", form_names=["bust"]), "1 words for 8 labels"),
    "unknown scheduler": (lambda f: edit_json(f / "scheduler" / "scheduler_config.json", _class_name="os"), "'os'"),
    "mad scheduler": (
        lambda f: edit_json(f / "scheduler" / "scheduler_config.json", num_train_timesteps=10**12), "1000000000000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_a_broken_folder_of_the_embedded_kind_is_refused(tiny_model: Path, tmp_path: Path, breakage: str) -> None:
    broken = Path(shutil.copytree(tiny_model, tmp_path / "broken"))
    damage, named = BREAKAGES[breakage]
    damage(broken)
    with pytest.raises(ModelFolderError, match=named) as caught:
        load_sculptor(broken)
    assert str(caught.value).endswith(".")
