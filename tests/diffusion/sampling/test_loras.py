"""Runs with LoRAs: a LoRA of weight w is the network with w·(alpha/r)·B·A added to its weights, and leaves no trace."""

import contextlib
import functools
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import Lora, RequestError, RunRequest
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.models.lora import LoraRefused, takes_loras, unload_loras
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.fork import fork
from tests.diffusion.sampling.test_any_pipeline import bare, watched
from tests.helpers.any_pipeline import built, engine_of, finish, request_for, write_pictures
from tests.helpers.loras import RANK, added, by_diffusers, by_kohya, pairs

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CONV = {"unet": ("attn1.to_q", "attn2.to_k", "resnets.0.conv1"), "text_encoder": ("q_proj", "out_proj", "fc1")}
LAYERS: dict[str, dict[str, tuple[str, ...]]] = {
    "stable_diffusion": {"unet": ("attn1.to_q", "attn2.to_k"), "text_encoder": ("q_proj", "out_proj")},
    "sdxl": {"unet": ("attn2.to_v",), "text_encoder": ("q_proj",), "text_encoder_2": ("v_proj",)},
    "sd3": {"transformer": ("attn.to_q", "attn.to_k"), "text_encoder": ("q_proj",)},
    "flux": {"transformer": ("attn.to_q", "proj_mlp"), "text_encoder": ("q_proj",)},
}


@pytest.fixture(autouse=True)
def leave_them_bare() -> Iterator[None]:
    yield
    for kind in LAYERS:
        if built.cache_info().currsize and takes_loras(built(kind)[0]):
            unload_loras(built(kind)[0])


def wanted(kind: str, folder: Path, *loras: Lora, **changes: Any) -> RunRequest:
    return request_for(kind, folder, loras=loras, **changes)


def check_alike(first: Trajectory, second: Trajectory, exact: bool = False) -> None:
    compare = np.testing.assert_array_equal if exact else functools.partial(np.testing.assert_allclose, atol=1e-4)
    for k in range(first.planned_steps + 1):
        compare(first.state(k), second.state(k), err_msg=f"state {k}")
        if k:
            compare(first.guess(k), second.guess(k), err_msg=f"guess {k}")


def differs(first: Trajectory, second: Trajectory) -> float:
    return float(np.abs(first.state(first.last) - second.state(second.last)).max())


@pytest.mark.parametrize(
    ("kind", "write", "factor"),
    [
        ("stable_diffusion", by_diffusers, 1.0),
        ("stable_diffusion", functools.partial(by_diffusers, alpha=3.0), 1.5),  # alpha/r
        ("stable_diffusion", lambda pipeline, found, file: by_kohya(found, file, alpha=1.0), 0.5),
        ("sdxl", by_diffusers, 1.0),
        ("sd3", by_diffusers, 1.0),
        ("flux", functools.partial(by_diffusers, alpha=4.0), 2.0),
    ],
)
def test_a_lora_is_the_network_with_the_product_added_and_leaves_no_trace(
    kind: str, write: Callable[..., Path], factor: float, tmp_path: Path
) -> None:
    engine, pipeline = engine_of(kind), built(kind)[0]
    found = pairs(pipeline, LAYERS[kind])
    file = write(pipeline, found, tmp_path / "a.safetensors")
    before = finish(engine, wanted(kind, tmp_path))
    weight = -1.3
    run = finish(engine, wanted(kind, tmp_path, Lora(str(file), weight)))
    assert len(run.info.request.loras[0].sha256) == 64
    assert run.info.conditions.endswith(f" · LoRA a × {weight:g}")
    after = finish(engine, wanted(kind, tmp_path))
    with added(pipeline, (found, weight * factor)):
        check_alike(run, finish(engine, wanted(kind, tmp_path)))
    assert differs(run, before) > 1e-3  # else there is nothing to tell apart
    check_alike(before, after, exact=True)
    check_alike(before, finish(engine, wanted(kind, tmp_path, Lora(str(file), 0.0))), exact=True)


def test_convolutions_and_layers_with_alphas_of_their_own_in_a_file_of_half_precision(tmp_path: Path) -> None:
    engine, pipeline = engine_of("stable_diffusion"), built("stable_diffusion")[0]
    found = pairs(pipeline, CONV)
    file = by_kohya(found, tmp_path / "locon.safetensors", alpha=4.0, other=1.0)
    save_file({name: tensor.bfloat16() for name, tensor in load_file(file).items()}, file)
    run = finish(engine, wanted("stable_diffusion", tmp_path, Lora(str(file), 1.0)))
    rounded = {
        part: {
            name: (down.bfloat16().float(), up.bfloat16().float() * (4.0, 1.0)[number % 2] / RANK)
            for number, (name, (down, up)) in enumerate(layers.items())
        }
        for part, layers in found.items()
    }
    with added(pipeline, (rounded, 1.0)):
        check_alike(run, finish(engine, wanted("stable_diffusion", tmp_path)))


@pytest.mark.parametrize("kind", ["inpaint", "deepfloyd", "latent_consistency", "flux_inpaint", "aura_flow", "chroma"])
def test_other_kinds_of_model_with_the_names_of_peft(kind: str, tmp_path: Path) -> None:
    write_pictures(tmp_path)
    engine, pipeline = engine_of(kind), built(kind)[0]
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    found = pairs(pipeline, {part: ("to_q",)})
    tensors = {f"{part}.{n}.lora_{m}.weight": t for n, both in found[part].items()
               for m, t in zip("AB", both, strict=True)}  # fmt: skip
    save_file(tensors, tmp_path / "a.safetensors")
    run = finish(engine, wanted(kind, tmp_path, Lora(str(tmp_path / "a.safetensors"), 0.7)))
    bare_run = finish(engine, wanted(kind, tmp_path))
    with added(pipeline, (found, 0.7)):
        check_alike(run, finish(engine, wanted(kind, tmp_path)))
    assert differs(run, bare_run) > 1e-4


def test_the_joined_matrices_of_kohyas_flux_are_parted(tmp_path: Path) -> None:
    engine, pipeline = engine_of("flux"), built("flux")[0]
    generator = torch.Generator().manual_seed(3)
    down, up = (0.3 * torch.randn(*shape, generator=generator) for shape in ((RANK, 32), (96, RANK)))
    name, file = "lora_unet_double_blocks_0_img_attn_qkv", tmp_path / "a.safetensors"
    save_file(
        {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(1.0)}, file
    )
    run = finish(engine, wanted("flux", tmp_path, Lora(str(file))))
    parts = zip(("to_q", "to_k", "to_v"), up.chunk(3), strict=True)
    with added(pipeline, ({"transformer": {f"transformer_blocks.0.attn.{n}": (down, u) for n, u in parts}}, 0.5)):
        check_alike(run, finish(engine, wanted("flux", tmp_path)))


@pytest.mark.parametrize("kind", ["ddpm", "dit", "pixart", "bria", "kandinsky3", "consistency"])
def test_a_model_that_takes_none_says_so(kind: str, tmp_path: Path) -> None:
    assert not takes_loras(built(kind)[0])
    name = type(built(kind)[0]).__name__
    with pytest.raises(SculptorError, match=f"This model, a {name}, takes no LoRAs"):
        finish(engine_of(kind), wanted(kind, tmp_path, Lora(str(tmp_path / "a.safetensors"))))


def test_two_loras_add_and_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "stable_diffusion"
    engine, pipeline = engine_of(kind), built(kind)[0]
    both = [pairs(pipeline, LAYERS[kind], seed) for seed in (1, 2)]
    files = [by_diffusers(pipeline, found, tmp_path / f"{n}.safetensors") for n, found in enumerate(both)]
    loads: list[str] = []
    real = type(pipeline).load_lora_weights
    monkeypatch.setattr(type(pipeline), "load_lora_weights",
                        lambda self, *given, **named: loads.append("") or real(self, *given, **named))  # fmt: skip
    run = finish(engine, wanted(kind, tmp_path, Lora(str(files[0]), 0.8), Lora(str(files[1]), -0.5)))
    other = finish(engine, wanted(kind, tmp_path, Lora(str(files[0]), 0.1), Lora(str(files[1]), 1.0)))
    assert len(loads) == 2
    assert differs(run, other) > 1e-3
    with added(pipeline, (both[0], 0.8), (both[1], -0.5)):
        check_alike(run, finish(engine, wanted(kind, tmp_path)))
    with added(pipeline, (both[0], 0.1), (both[1], 1.0)):
        check_alike(other, finish(engine, wanted(kind, tmp_path)))


@pytest.mark.parametrize("kind", ["stable_diffusion", "flux"])
def test_watching_changes_nothing_and_a_fork_repeats_it(kind: str, tmp_path: Path) -> None:
    engine, pipeline = engine_of(kind), built(kind)[0]
    file = by_diffusers(pipeline, pairs(pipeline, LAYERS[kind]), tmp_path / "a.safetensors")
    request = wanted(kind, tmp_path, Lora(str(file), 0.9))
    got, run = watched(engine, request)
    np.testing.assert_array_equal(bare(engine, request), got)  # the LoRA is still in the pipeline
    again = list(fork(run, 2, engine, threading.Event()))[-1].trajectory
    check_alike(run, again, exact=True)
    assert again.info.request.loras == run.info.request.loras
    other = replace(request, loras=(Lora(str(file), 0.2),))
    forked = list(fork(run, 2, engine, threading.Event(), other))[-1].trajectory
    assert differs(run, forked) > 1e-4
    assert forked.info.request.loras == (replace(run.info.request.loras[0], weight=0.2),)
    by_diffusers(pipeline, pairs(pipeline, LAYERS[kind], seed=9), file)
    with pytest.raises(LoraRefused, match=r"a\.safetensors is not the file that the run was made with"):
        list(fork(run, 2, engine, threading.Event()))


def test_matrices_are_brought_into_the_dtype_of_the_network(tmp_path: Path) -> None:
    kind = "stable_diffusion"
    pipeline = built(kind)[0]
    file = by_diffusers(pipeline, pairs(pipeline, LAYERS[kind]), tmp_path / "a.safetensors")
    engine = engine_of(kind)
    engine.load(str(tmp_path), "cpu")
    pipeline.to(torch.bfloat16)
    try:
        engine.apply_loras([Lora(str(file))])
        parameters = {n: p for n, p in pipeline.unet.named_parameters() if "lora_" in n}
        assert parameters
        assert {p.dtype for p in parameters.values()} == {torch.bfloat16}
    finally:
        unload_loras(pipeline)
        built.cache_clear()


@pytest.mark.parametrize("fits", [True, False])
def test_an_offloaded_model_goes_on_being_offloaded_to_its_own_gpu(
    fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import cpu_offload_with_hook
    from accelerate.hooks import remove_hook_from_module

    kind = "stable_diffusion"
    engine, pipeline = engine_of(kind), built(kind)[0]
    file = tmp_path / "a.safetensors"
    if fits:
        by_diffusers(pipeline, pairs(pipeline, LAYERS[kind]), file)
    else:
        wrong_shape(file)
    asked: list[Any] = []
    engine.load(str(tmp_path), "cpu")
    _, hook = cpu_offload_with_hook(pipeline.unet, "cpu")
    try:
        monkeypatch.setattr(pipeline, "_all_hooks", [hook], raising=False)
        monkeypatch.setattr(pipeline, "_offload_device", torch.device("cuda:1"), raising=False)
        monkeypatch.setattr(
            type(pipeline), "enable_model_cpu_offload", lambda self, gpu_id=None, device=None: asked.append(device)
        )
        with contextlib.nullcontext() if fits else pytest.raises(LoraRefused):
            engine.apply_loras([Lora(str(file))])
        assert asked[-1] == torch.device("cuda:1")
    finally:
        remove_hook_from_module(pipeline.unet, recurse=True)


# What is refused ------------------------------------------------------------------------------------------------------


def other_family(file: Path) -> None:
    by_diffusers(built("flux")[0], pairs(built("flux")[0], {"transformer": ("attn.to_q",)}), file)


def some_layers_missing(file: Path) -> None:
    found = pairs(built("stable_diffusion")[0], {"unet": ("attn1.to_q",)})
    tensors = load_file(by_kohya(found, file, alpha=1.0))
    extra = {name.replace("down_blocks_1", "down_blocks_3"): each.clone() for name, each in tensors.items()}
    save_file(tensors | extra, file, {"modelspec.architecture": "stable-diffusion-v1/lora"})


def wrong_shape(file: Path) -> None:
    by_diffusers(built("sdxl")[0], pairs(built("sdxl")[0], {"unet": ("attn2.to_k",)}), file)


def wrong_rank(file: Path) -> None:
    found = pairs(built("stable_diffusion")[0], {"unet": ("attn1.to_q",)})
    tensors = load_file(by_diffusers(built("stable_diffusion")[0], found, file))
    save_file({n: each[:, :1].clone() if "lora_B" in n or "up" in n else each for n, each in tensors.items()}, file)


def wrong_text_encoder(file: Path) -> None:
    found = pairs(built("stable_diffusion")[0], LAYERS["stable_diffusion"])
    tensors = load_file(by_diffusers(built("stable_diffusion")[0], found, file))
    wide = {n: torch.ones(RANK, 7) for n in tensors if n.startswith("text_encoder") and "lora_A" in n}
    save_file(tensors | wide, file)


def half_a_layer(file: Path) -> None:
    found = pairs(built("stable_diffusion")[0], {"unet": ("attn1.to_q",)})
    tensors = load_file(by_diffusers(built("stable_diffusion")[0], found, file))
    del tensors[next(name for name in tensors if "lora_B" in name or "up" in name)]
    save_file(tensors, file)


def of_rank_zero(file: Path) -> None:
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    down, up = torch.ones(0, 16), torch.ones(16, 0)
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(1.0)}
    save_file(tensors, file, {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 10**400})})


def loha(file: Path) -> None:
    save_file({"lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": torch.ones(2, 2)}, file)


def not_finite(file: Path) -> None:
    found = pairs(built("stable_diffusion")[0], {"unet": ("attn1.to_q",)})
    save_file({n: each * torch.inf for n, each in load_file(by_kohya(found, file, alpha=1.0)).items()}, file)


def truncated(file: Path) -> None:
    other_family(file)
    file.write_bytes(file.read_bytes()[:-10])


def a_pickle(file: Path) -> None:
    torch.save({"a": torch.ones(1)}, file)


def lfs_pointer(file: Path) -> None:
    file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 151112184\n")


def whole_network(file: Path) -> None:
    save_file({"conv_in.weight": torch.ones(3, 3)}, file)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (
            other_family,
            r"does not fit this model \(StableDiffusionPipeline\), which has none of the layers that it changes \(\d\)",
        ),
        (
            some_layers_missing,
            r"it changes 5 of its places, and the model lacks 1 of them\. .*'stable-diffusion-v1/lora'",
        ),
        (wrong_shape, r"does not fit this model \(StableDiffusionPipeline\): it has a wrong shape for '.*attn2\.to_k"),
        (wrong_rank, r"it has a wrong shape for '.*attn1\.to_q.*lora_"),
        (wrong_text_encoder, r"x\.safetensors "),
        (half_a_layer, r"it changes 4 of its places, and the model lacks 1 of them"),
        (of_rank_zero, r"x\.safetensors is no LoRA that diffusers can load into a StableDiffusionPipeline\."),
        (loha, r"is a LoHa, which diffusers does not read for a StableDiffusionPipeline\. Choose a LoRA or a LoCon\."),
        (not_finite, r"has NaN or infinite values in 'lora_unet_"),
        (truncated, r"x\.safetensors is damaged \("),
        (a_pickle, r"x\.safetensors is .* pickle under another name\."),
        (lfs_pointer, r"x\.safetensors is .*git lfs pull"),
        (whole_network, r"x\.safetensors holds no LoRA\."),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_the_pipeline_is_left_as_it_was(
    write: Callable[[Path], None], sentence: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = "stable_diffusion"
    engine, pipeline = engine_of(kind), built(kind)[0]
    file = tmp_path / "x.safetensors"
    write(file)
    good = by_diffusers(pipeline, pairs(pipeline, LAYERS[kind]), tmp_path / "good.safetensors")
    before = {part: {n: t.clone() for n, t in getattr(pipeline, part).state_dict().items()} for part in LAYERS[kind]}
    noise = torch.get_rng_state()
    capfd.readouterr()
    with pytest.raises(LoraRefused, match=sentence) as caught:
        finish(engine, wanted(kind, tmp_path, Lora(str(good)), Lora(str(file))))
    assert "Error" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert torch.equal(noise, torch.get_rng_state())
    for part, tensors in before.items():
        after = getattr(pipeline, part).state_dict()
        assert after.keys() == tensors.keys()
        assert all(torch.equal(after[name], tensors[name]) for name in tensors)
    assert pipeline.get_list_adapters() == {}
    assert finish(engine, wanted(kind, tmp_path, Lora(str(good)))).is_complete


def test_nothing_of_a_files_config_is_used_but_numbers(tmp_path: Path) -> None:
    kind = "stable_diffusion"
    engine, pipeline = engine_of(kind), built(kind)[0]
    found = pairs(pipeline, {"unet": ("attn1.to_q", "attn2.to_k")})
    file = by_diffusers(pipeline, found, tmp_path / "a.safetensors")
    config = {"unet.lora_alpha": 10**400, "unet.target_modules": "(a+)+$", "unet.init_lora_weights": "pissa",
              "unet.alpha_pattern": {"(a+)+$": 1, "attn1.to_q": 4.0}, "unet.use_dora": "x"}  # fmt: skip
    save_file(load_file(file), file, {"lora_adapter_metadata": json.dumps(config)})
    run = finish(engine, wanted(kind, tmp_path, Lora(str(file), 1.0)))
    first, others = ({"unet": {n: each for n, each in found["unet"].items() if ("attn1" in n) is wanted_}}
                     for wanted_ in (True, False))  # fmt: skip
    with added(pipeline, (first, 4.0 / RANK), (others, 1.0)):  # an alpha that no number holds is none
        check_alike(run, finish(engine, wanted(kind, tmp_path)))


def test_a_stop_is_obeyed_between_two_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "stable_diffusion"
    engine, pipeline = engine_of(kind), built(kind)[0]
    file = by_diffusers(pipeline, pairs(pipeline, LAYERS[kind]), tmp_path / "a.safetensors")
    stop = threading.Event()
    engine._report = lambda progress: stop.set()  # as soon as the reading begins
    with pytest.raises(Cancelled):
        list(sample(engine, wanted(kind, tmp_path, Lora(str(file))), stop))
    assert pipeline.get_list_adapters() == {}


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    kind = "stable_diffusion"
    file = by_diffusers(built(kind)[0], pairs(built(kind)[0], LAYERS[kind]), tmp_path / "a.safetensors")
    with file.open("r+b") as sparse:
        sparse.truncate(2**40)
    with pytest.raises(LoraRefused, match=r"a\.safetensors takes up to 3\.3 TB of memory while it is read, and"):
        finish(engine_of(kind), wanted(kind, tmp_path, Lora(str(file))))


def test_links_are_followed_and_the_same_file_is_not_given_twice(tmp_path: Path) -> None:
    kind = "stable_diffusion"
    engine, pipeline = engine_of(kind), built(kind)[0]
    file = by_diffusers(pipeline, pairs(pipeline, LAYERS[kind]), tmp_path / "a.safetensors")
    link = tmp_path / "b: c.safetensors"
    link.symlink_to(file)
    assert finish(engine, wanted(kind, tmp_path, Lora(str(link)))).info.request.loras[0].name == "b: c.safetensors"
    shutil.copy(file, tmp_path / "d.safetensors")
    with pytest.raises(RequestError, match=r"a\.safetensors and d\.safetensors are the same"):
        finish(engine, wanted(kind, tmp_path, Lora(str(file)), Lora(str(tmp_path / "d.safetensors"))))
