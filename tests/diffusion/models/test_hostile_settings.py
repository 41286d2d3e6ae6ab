"""Small models whose settings make much out of little: refused in a sentence with file, key and value.

Whatever is refused here asked for gigabytes, or for hours, when it was opened or run.
"""

import base64
import inspect
import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest

from sculptor_app.core.errors import OutOfDeviceMemory, SamplerFailed
from sculptor_app.diffusion.models.config_checks import check_settings
from sculptor_app.diffusion.models.loader import check_suitable, inspect_model, scheduler_settings
from sculptor_app.diffusion.models.tokenizers import check_tokenizer
from sculptor_app.diffusion.models.verdict import Unfit
from sculptor_app.diffusion.sampling import trial
from tests.helpers.diffusers_models import ddpm, edit_json
from tests.helpers.tiny_pipelines import build

UNET, VAE, ENCODER = "unet/config.json", "vae/config.json", "text_encoder/config.json"
SCHEDULER, WORDS, INDEX = "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json", "model_index.json"

SETTINGS: list[tuple[str, str, Any]] = [
    (SCHEDULER, "solver_order", 200_000_000), (SCHEDULER, "solver_order", 0), (SCHEDULER, "solver_order", 6),
    (SCHEDULER, "predictor_order", 10**7), (SCHEDULER, "corrector_order", 10**7), (SCHEDULER, "steps_offset", 10**12),
    (SCHEDULER, "original_inference_steps", 10**9), (SCHEDULER, "correct_steps", 10**7), (SCHEDULER, "n_grid", 10**8),
    (SCHEDULER, "num_train_timesteps", 10**8), (SCHEDULER, "num_train_timesteps", 0), (SCHEDULER, "beta_end", 1e300),
    (SCHEDULER, "beta_start", -1.0), (SCHEDULER, "sigma_max", float("inf")), (SCHEDULER, "shift", -(10**9)),
    (SCHEDULER, "num_train_timesteps", "x"), (SCHEDULER, "trained_betas", [0.1] * 10_001),
    (SCHEDULER, "prediction_type", "x"), (SCHEDULER, "beta_schedule", ["linear"]), (SCHEDULER, "timestep_spacing", "x"),
    (UNET, "sample_size", 12_000), (UNET, "sample_size", [64, 12_000]), (UNET, "sample_size", "x"),
    (UNET, "sample_size", {"a": 64}), (UNET, "sample_size", -8), (UNET, "norm_eps", float("-inf")),
    (UNET, "layers_per_block", 10**6), (UNET, "in_channels", 10**6), (UNET, "time_embedding_dim", 10**7),
    (UNET, "freq_shift", 10**13), (UNET, "unknown", [[[10**13]]]), (UNET, "unknown", {"a": {"b": 10**13}}),
    (VAE, "block_out_channels", [8] * 12), (VAE, "down_block_types", ["DownEncoderBlock2D"] * 11),
    (VAE, "scaling_factor", "x"), (VAE, "latents_mean", [1e300] * 4), (VAE, "block_out_channels", ["x", "y"]),
    (ENCODER, "vocab_size", 10**8), (ENCODER, "num_hidden_layers", 10**5), (ENCODER, "max_position_embeddings", 10**8),
    (WORDS, "model_max_length", 50_000_000), (WORDS, "model_max_length", -1), (WORDS, "extra_ids", 10**7),
    (WORDS, "model_max_length", float("inf")), (WORDS, "pad_to_multiple_of", 10**7), (WORDS, "max_length", 10**8),
    (INDEX, "tokenizer_max_length", 10**8), (WORDS, "additional_special_tokens", ["a"] * 20_001),
]  # fmt: skip


@pytest.mark.parametrize(("file", "key", "value"), SETTINGS, ids=lambda each: str(each)[:40])
def test_a_setting_beyond_its_bound_is_refused_by_file_key_and_value(sd: Path, file: str, key: str, value: Any) -> None:
    edit_json(sd / file, **{key: value})
    found = [each.message for each in inspect_model(sd).refusals]
    assert len(found) == 1
    inner = "b" if value == {"a": {"b": 10**13}} else key
    assert found[0].startswith(f"{inner} in {sd / file} ")


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        (WORDS, "model_max_length", 10**30), (WORDS, "model_max_length", 131_072), (UNET, "sample_size", [96, 128]),
        (SCHEDULER, "lambda_min_clipped", float("-inf")), (ENCODER, "rope_theta", 1e9), (UNET, "sample_size", None),
        (SCHEDULER, "noise_sampler_seed", 2**63), (VAE, "latents_mean", [0.1, -2.0, 0.3, 4]),
    ],
)  # fmt: skip
def test_what_published_models_have_is_within_the_bounds(sd: Path, file: str, key: str, value: Any) -> None:
    edit_json(sd / file, **{key: value})
    inspect_model(sd).refuse()


@pytest.mark.parametrize("name", [name for name in dir(diffusers) if name.endswith("Scheduler")])
def test_a_scheduler_knows_the_words_that_diffusers_has_it_take_by_default(name: str) -> None:
    kind = getattr(diffusers, name)
    words = {each.name: each.default for each in inspect.signature(kind.__init__).parameters.values()}
    assert not list(check_settings("x", {key: word for key, word in words.items() if isinstance(word, str)},
                                   "scheduler", kind))  # fmt: skip


def test_many_wrong_settings_are_told_once_each_and_not_by_thousands() -> None:
    found = list(check_settings("x", {"in_channels": [10**9] * 20_000, **{f"{k}_dim": 10**9 for k in range(900)}}))
    assert len(found) == len({each.message for each in found}) == 50


def test_the_settings_of_a_sampler_are_bounded_where_they_alone_are_read(sd: Path) -> None:
    """A window plans a run by them before the model is opened."""
    edit_json(sd / SCHEDULER, solver_order=200_000_000)
    with pytest.raises(Unfit, match=r"solver_order in .* is 200000000"):
        scheduler_settings(sd)


def replace(content: str, pattern: Any = None) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern or {"String": "x"}, "content": content}


def sequence(key: str, rules: list[Any]) -> dict[str, Any]:
    return {"type": "Sequence", key: rules}


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def charmap(texts: bytes) -> str:
    return base64.b64encode(struct.pack("<I", 8) + bytes(8) + texts).decode()


def template(pieces: int, ids: int = 1) -> dict[str, Any]:
    single = [{"Sequence": {"id": "A", "type_id": 0}}] * pieces
    return {"type": "TemplateProcessing", "single": single, "pair": [],
            "special_tokens": {"a": {"id": "a", "ids": [1] * ids, "tokens": ["a"] * ids}}}  # fmt: skip


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
TOKENIZERS: dict[str, tuple[dict[str, Any], str]] = {
    "a long replacement": ({"normalizer": replace("x" * 100)}, r"normalizer\.content in .* has 100 letters"),
    "a replacement of any letter": ({"normalizer": replace("x" * 9, {"Regex": "."})}, "has 9 letters"),
    "a long beginning": ({"normalizer": {"type": "Prepend", "prepend": "x" * 10**6}}, r"prepend in .* has 1,000,000"),
    "short replacements one after the other": (
        {"normalizer": sequence("normalizers", [replace("x" * 8)] * 10)}, "may make a text 1,073,741,824 times as long",
    ),
    "the same, nested": (
        {"normalizer": sequence("normalizers", [sequence("normalizers", [replace("x" * 8)] * 2)] * 2)}, "4,096 times",
    ),
    "many rules": ({"normalizer": sequence("normalizers", [{"type": "NFC"}] * 17)}, "normalizers in .* has 17"),
    "bytes of bytes": ({"pre_tokenizer": sequence("pretokenizers", [BYTES] * 12)}, "4,096 times"),
    "a long metaspace": ({"pre_tokenizer": {"type": "Metaspace", "replacement": "x" * 99}}, "replacement in .* has 99"),
    "a pattern that takes for ever": ({"pre_tokenizer": split("(a+)+$")}, r"pattern in .* is '\(a\+\)\+\$'"),
    "another": ({"normalizer": replace("", {"Regex": "(?:x|xx){9}y"})}, "pattern in .* is"),
    "one behind a class of letters": ({"pre_tokenizer": split(r"[\])](a|a)*b")}, "pattern in .* is"),
    "a pattern that takes the fourth power": ({"pre_tokenizer": split("q*q*q*q*z")}, "one with 3 parts that repeat"),
    "the same in groups": ({"pre_tokenizer": split("(b|(a+))(a*?|c)x{9}a{0,999}a*z")}, "one with 3 parts that repeat"),
    "a huge pattern": ({"pre_tokenizer": split("a?" * 1001)}, "pattern in .* has 2,002"),
    "a text many times over": ({"post_processor": template(65)}, "single in .* has 65"),
    "a long frame": ({"post_processor": template(1, 10**5)}, "special_tokens in .* has 100,000"),
    "padding to the end": (
        {"padding": {"strategy": {"Fixed": 50_000_000}, "direction": "Right"}}, r"padding\.Fixed in .* is 50000000",
    ),
    "padding to a multiple": ({"padding": {"strategy": "BatchLongest", "pad_to_multiple_of": 10**7}}, "multiple_of"),
    "a truncation of nothing": ({"truncation": {"max_length": 10**9, "stride": 0}}, r"truncation\.max_length"),
    "a table of long texts": (
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charmap(b"a\0" + b"x" * 10**5 + b"\0")}},
        "precompiled_charsmap in .* has 100,000",
    ),
    "words without end": ({"model": {"type": "WordPiece", "max_input_chars_per_word": 10**9}}, "max_input_chars"),
    "a long prefix": ({"model": {"type": "BPE", "continuing_subword_prefix": "x" * 10**5}}, "prefix in .* has 100,000"),
    "a decoder that replaces": ({"decoder": replace("x" * 100)}, r"decoder\.content"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_makes_much_out_of_little_is_refused(name: str, tmp_path: Path) -> None:
    rules, message = TOKENIZERS[name]
    (tmp_path / "tokenizer.json").write_text(json.dumps(rules))
    with pytest.raises(Unfit, match=message) as refused:
        check_tokenizer(tmp_path)
    assert "makes much out of little" in str(refused.value.finding)


PATTERNS = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}]*[\p{Ll}\p{Lm}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|\s*[\r\n/]+",
)
"""Of GPT-2, CLIP, Qwen, DeepSeek and o200k."""


def test_tokenizers_as_published_models_have_them_are_within_the_bounds(tmp_path: Path) -> None:
    space = "\N{LOWER ONE EIGHTH BLOCK}"
    normalizers = [
        {"type": "Prepend", "prepend": space}, replace(space, {"String": " "}), replace(" ", {"Regex": " {2,}"}),
        {"type": "NFKC"}, {"type": "Precompiled", "precompiled_charsmap": charmap(b"a\0" + b"x" * 33 + b"\0")},
    ]  # fmt: skip
    splits = [*map(split, PATTERNS), BYTES, {"type": "Metaspace", "replacement": space}]
    rules = {
        "normalizer": sequence("normalizers", normalizers), "pre_tokenizer": sequence("pretokenizers", splits),
        "post_processor": sequence("processors", [BYTES, template(1)]), "padding": None,
        "truncation": {"max_length": 512, "stride": 0, "strategy": "LongestFirst", "direction": "Right"},
        "decoder": sequence("decoders", [replace(" ", {"String": space}), {"type": "Strip", "start": 1, "stop": 0}]),
        "model": {"type": "BPE", "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "unk_token": "<unk>"},
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(rules))
    check_tokenizer(tmp_path)


def test_a_tokenizer_whose_words_add_up_is_refused_when_it_reads() -> None:
    pipeline = build("stable_diffusion")
    pipeline.tokenizer.encode = lambda text: range(200 * len(text.encode()) + 2**20)
    with pytest.raises(Unfit, match=r"tokenizer' makes [\d,]+ tokens of [\d,]+ letters"):
        trial.read_words(pipeline)


LARGE: dict[str, tuple[Callable[[Any], object], str]] = {
    "pictures of 12,000 pixels": (lambda p: p.unet.register_to_config(sample_size=12_000), "12000 × 12000 pixels"),
    "pictures of none": (lambda p: p.unet.register_to_config(sample_size=0), "0 × 0 pixels"),
}


@pytest.mark.parametrize("name", LARGE)
def test_pictures_beyond_any_size_are_refused(name: str) -> None:
    change, message = LARGE[name]
    pipeline = ddpm()
    change(pipeline)
    with pytest.raises(Unfit, match=message):
        check_suitable(pipeline)


def test_an_autoencoder_that_makes_thousands_of_pixels_of_a_latent_is_refused() -> None:
    pipeline = build("stable_diffusion")
    pipeline.vae.register_to_config(block_out_channels=(8,) * 9)
    with pytest.raises(Unfit, match="One latent becomes 256 × 256 pixels"):
        check_suitable(pipeline)


def test_a_trial_does_all_that_a_run_does_and_lets_large_models_fail_unless_memory_runs_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, done = build("stable_diffusion"), []
    monkeypatch.setattr(trial, "fit_latent_map", lambda *_: iter([done.append("map")]))
    for name in ("unet", "vae", "text_encoder"):
        getattr(pipeline, name).register_forward_pre_hook(lambda *_, name=name: done.append(name))
    decode = pipeline.vae.decode
    monkeypatch.setattr(
        pipeline.vae, "decode", lambda *given, **named: (done.append("decoded"), decode(*given, **named))[1]
    )
    trial.rehearse(pipeline, 1 << 30)
    assert list(dict.fromkeys(done)) == ["text_encoder", "unet", "decoded", "map"]
    assert done.count("unet") <= 2  # PNDM takes two calls for the first step
    for error, is_told in ((TypeError("a size"), False), (MemoryError(), True)):
        for most, is_small in ((10**9, True), (0, False)):
            monkeypatch.setattr(trial, "SMALL_PARAMETERS", most)

            def fail(*_: Any, error: Exception = error) -> None:
                raise error

            hook = pipeline.unet.register_forward_pre_hook(fail)
            if is_small or is_told:
                with pytest.raises(MemoryError if is_told else SamplerFailed):
                    trial.rehearse(pipeline, 1 << 30)
            else:
                trial.rehearse(pipeline, 1 << 30)
            hook.remove()


def by_side(power: int, fits: int = 1 << 20, takes: int = 0) -> Callable[[int], float]:
    """Seconds of a step of an edge; too much for the memory beyond one edge, of no use below another."""

    def seconds(side_px: int) -> float:
        if side_px > fits:
            raise MemoryError
        if side_px < takes:
            raise ValueError("it has no such size")
        return 0.1 * (side_px / 128) ** power

    return seconds


TRIALS: dict[str, tuple[int, Callable[[int], float], list[int], str]] = {
    "quick": (128, by_side(2), [128], ""),
    "quick, and of more than one size": (512, by_side(2), [128, 256, 512], ""),
    "convolutions": (1024, by_side(2), [128, 256, 512], "a step at its own size, 1,024 px, takes about 6 s on"),
    "attention": (1024, by_side(4), [128, 256], "1,024 px, takes about 410 s on"),
    "without end": (4096, by_side(4), [128, 256], "4,096 px, takes 29 h on one core"),
    "memory": (512, by_side(2, fits=256), [128, 256, 512], "may take 4.3 GB of memory."),
    "memory that nobody has": (1024, by_side(2, fits=128), [128, 256], "may take 68.7 GB of memory, and 34.4 GB are"),
    "memory of the only size": (512, by_side(2, fits=256, takes=512), [128, 256, 512], "MemoryError"),
    "of one size": (1024, by_side(1, takes=1024), [128, 256, 512, 1024], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TRIALS)
def test_what_a_step_takes_is_found_out_by_growing_sizes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own_px, seconds, sides, words = TRIALS[name]
    clock, tried = [0.0], []

    def take_step(_: Any, side_px: int) -> None:
        tried.append(side_px or own_px)
        clock[0] += seconds(side_px or own_px)

    monkeypatch.setattr(trial, "take_step", take_step)
    monkeypatch.setattr(trial, "native_size", lambda _: (own_px, own_px // 2))
    monkeypatch.setattr(trial, "_peak_bytes", lambda: 0)
    monkeypatch.setattr(trial.time, "process_time", lambda: clock[0])
    monkeypatch.setattr(trial.psutil, "virtual_memory", lambda: SimpleNamespace(available=32 << 30))
    try:
        found = [each.message for each in trial._Growing(None, 1 << 30).findings()]
    except Unfit as unfit:
        assert " h on" in words or "nobody" in name
        found = [unfit.finding.message]
    except MemoryError:
        found = ["MemoryError"]
    assert tried == sides
    assert len(found) == bool(words)
    assert words in "".join(found)


def test_a_network_whose_pipeline_is_asked_for_no_size_makes_smaller_pictures_for_a_while() -> None:
    pipeline = ddpm()
    pipeline.unet.register_to_config(sample_size=1024)
    with trial._sized(pipeline, 250):
        assert pipeline.unet.config.sample_size == 252  # a multiple of what its blocks halve
        trial.take_step(pipeline, 16)
    assert pipeline.unet.config.sample_size == 1024


def test_memory_that_runs_out_for_the_latent_map_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from sculptor_app.core.requests.request import RunRequest
    from sculptor_app.diffusion.latents import decoding, map_cache, map_fitting
    from sculptor_app.diffusion.sampling.engine import Engine

    def fail(*_: Any) -> None:
        raise MemoryError

    assert [map_fitting.example_side_px(factor) for factor in (8, 32, 64, 128)] == [192, 768, 1024, 1024]
    pipeline = build("stable_diffusion")
    monkeypatch.setattr(map_fitting, "_grid", fail)
    monkeypatch.setattr(map_cache, "read_map", lambda *_: None)
    request = RunRequest(model="/", device="cpu")
    with pytest.raises(OutOfDeviceMemory):
        list(decoding.find_latent_map(Engine(lambda *_, **__: pipeline), request, threading.Event()))
