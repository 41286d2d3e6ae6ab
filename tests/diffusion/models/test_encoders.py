"""Text encoders and tokenizers, which transformers builds: the same checks, and the same pictures."""

import shutil
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from sculptor_app.diffusion.models.loader import build, inspect_model
from sculptor_app.diffusion.models.verdict import ModelRefused, Unfit
from tests.helpers.diffusers_models import edit_json, edit_weights, save
from tests.helpers.stable_diffusion import stable_diffusion

TOKENIZER, ENCODER = "tokenizer/tokenizer_config.json", "text_encoder/config.json"


@pytest.fixture(scope="module")
def whole_stable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(stable_diffusion, tmp_path_factory.mktemp("whole") / "stable")


def test_text_encoders_and_tokenizers_are_built(
    whole_stable: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    verdict = inspect_model(whole_stable)
    assert verdict.findings == ()
    kinds = {component.name: component.kind for component in verdict.components}
    assert (kinds["text_encoder"], kinds["tokenizer"]) == ("encoder", "data")
    ours = build(verdict, "float32")
    assert capfd.readouterr() == ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = DiffusionPipeline.from_pretrained(whole_stable, disable_mmap=True)
    prompt, steps = "a bust", 2
    pictures = [
        each(prompt, num_inference_steps=steps, generator=torch.Generator().manual_seed(3), output_type="np").images
        for each in (ours, theirs)
    ]
    np.testing.assert_array_equal(*pictures)


def test_building_speaks_to_nobody_even_where_there_is_a_network(
    whole_stable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    seen: list[str] = []
    watching = threading.Event()  # a hook stays for as long as the process does

    def watch(event: str, _: object) -> None:
        if watching.is_set() and event.startswith(("socket.", "subprocess.", "os.system", "os.fork", "pickle.")):
            seen.append(event)

    sys.addaudithook(watch)
    verdict = inspect_model(whole_stable)
    watching.set()
    build(verdict, "float32")
    assert seen == []
    socket.socket().close()
    watching.clear()
    assert seen == ["socket.__new__"]


def test_an_encoder_of_an_older_transformers_is_read(whole_stable: Path, tmp_path: Path) -> None:
    """Names had a prefix, and a table of positions lay beside the weights."""
    folder = Path(shutil.copytree(whole_stable, tmp_path / "old"))

    def age(weights: dict[str, torch.Tensor]) -> None:
        for name in list(weights):
            weights[name if name.startswith("text_model.") else f"text_model.{name}"] = weights.pop(name)
        weights["text_model.embeddings.position_ids"] = torch.arange(16)[None]

    edit_weights(folder / "text_encoder" / "model.safetensors", age)
    before, after = (build(inspect_model(each), "float32").text_encoder.state_dict() for each in (whole_stable, folder))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


ENCODERS_NOT_WHOLE: dict[str, tuple[Callable[[dict[str, torch.Tensor]], object], str]] = {
    "one missing": (lambda w: w.pop(min(w)), "text_encoder lacks '"),
    "one more": (lambda w: w.update(more=torch.ones(1)), "text_encoder has the unknown 'more'"),
    "another shape": (lambda w: w.update({min(w): torch.ones(3)}), "text_encoder has a wrong shape for '"),
    "a NaN": (lambda w: w[min(w)].fill_(float("nan")), "text_encoder has NaN or infinite values in '"),
}


@pytest.mark.parametrize("what", ENCODERS_NOT_WHOLE)
def test_an_encoder_that_is_not_whole_is_refused(what: str, whole_stable: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole_stable, tmp_path / "broken"))
    change, words = ENCODERS_NOT_WHOLE[what]
    edit_weights(folder / "text_encoder" / "model.safetensors", change)
    with pytest.raises(Unfit, match=words):
        build(inspect_model(folder), "float32")


STRANGE_PARTS: dict[str, tuple[str, dict[str, object], str]] = {
    "a tokenizer with code": (TOKENIZER, {"auto_map": {"AutoTokenizer": ["my.T", None]}}, "auto_map"),
    "a vocabulary from elsewhere": (TOKENIZER, {"vocab_file": "/etc/passwd"}, "vocab_file: '/etc/passwd'"),
    "an encoder with code": (ENCODER, {"auto_map": {"AutoModel": "my.M"}}, "auto_map"),
    "an encoder's own weights": (ENCODER, {"transformers_weights": "../x.bin"}, "transformers_weights"),
    "attention from the hub": (ENCODER, {"attn_implementation": {"": "a/b"}}, "attn_implementation"),
    "a huge vocabulary": (ENCODER, {"vocab_size": 10**9}, "vocab_size in .* is 1000000000"),
}  # fmt: skip


@pytest.mark.parametrize("what", STRANGE_PARTS)
def test_strange_encoders_and_tokenizers_are_refused(what: str, whole_stable: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole_stable, tmp_path / "strange"))
    name, changes, words = STRANGE_PARTS[what]
    edit_json(folder / name, **changes)
    with pytest.raises(ModelRefused, match=words):
        inspect_model(folder).refuse()


def test_a_tokenizer_without_a_longest_text_is_fit(whole_stable: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole_stable, tmp_path / "endless"))
    edit_json(folder / TOKENIZER, model_max_length=int(1e30))
    assert inspect_model(folder).findings == ()


def test_a_pipeline_that_loads_others_by_its_readme_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "KandinskyV22CombinedPipeline"}')
    (tmp_path / "readme.md").write_text("---\nprior: [/somewhere/else]\n---\n")
    assert any("README.md names further models" in each.message for each in inspect_model(tmp_path).refusals)


def test_an_adapter_that_names_another_model_is_refused(whole_stable: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole_stable, tmp_path / "adapted"))
    (folder / "text_encoder" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelRefused, match=r"has an adapter_config\.json\. The loader would fetch another model"):
        inspect_model(folder).refuse()
