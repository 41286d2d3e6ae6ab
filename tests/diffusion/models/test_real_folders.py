"""Folders as people have them: absent, linked, partial, pointers, sharded, variants, programs beside the model."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.loader import build, find_model, inspect_model
from sculptor_app.diffusion.models.sandbox import check_in_sandbox
from sculptor_app.diffusion.models.verdict import Severity, Unfit
from tests.helpers.diffusers_models import WEIGHTS, edit_json, write_program

COMMIT = "0123456789" * 4
NAME = "someone/small"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 30000000\n"
PAGE = b'\n<!DOCTYPE html>\n<html lang="en"><head><title>Log in</title></head></html>'
UNET, ENCODER, VOCABULARY = f"unet/{WEIGHTS}", "text_encoder/model.safetensors", "tokenizer/tokenizer.json"

Change = Callable[[Path], object]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def without(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    return change


def index(**changes: object) -> Change:
    return lambda folder: edit_json(folder / "model_index.json", **changes)


def both(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


def shard(folder: Path) -> list[Path]:
    """The weights of the UNet in three files and an index."""
    weights = safetensors.torch.load((folder / UNET).read_bytes())
    names = sorted(weights)
    placed = {
        name: f"diffusion_pytorch_model-{number % 3 + 1:05}-of-00003.safetensors" for number, name in enumerate(names)
    }
    (folder / UNET).unlink()
    for file in sorted(set(placed.values())):
        part = {name: weights[name] for name in names if placed[name] == file}
        (folder / "unet" / file).write_bytes(safetensors.torch.save(part))
    (folder / "unet" / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return [folder / "unet" / file for file in sorted(set(placed.values()))]


def shards_with(content: bytes | None, count: int) -> Change:
    """Of the three shards so many are something else, or missing."""

    def change(folder: Path) -> None:
        for path in shard(folder)[:count]:
            path.unlink() if content is None else path.write_bytes(content)

    return change


def as_half(folder: Path, *names: str) -> None:
    for name in names or (UNET, ENCODER, f"vae/{WEIGHTS}"):
        weights = safetensors.torch.load((folder / name).read_bytes())
        half = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
        (folder / name.replace(".safetensors", ".fp16.safetensors")).write_bytes(safetensors.torch.save(half))
        (folder / name).unlink()


CHECKER = ["stable_diffusion", "StableDiffusionSafetyChecker"]
EXTRACTOR = ["transformers", "CLIPImageProcessor"]
OPENS: dict[str, tuple[Change, str]] = {
    "as it was saved": (lambda _: None, ""),
    "optional parts named and not there": (
        index(safety_checker=CHECKER, feature_extractor=EXTRACTOR), "safety_checker is not there, and is left out",
    ),
    "a checker without its extractor": (
        both(index(safety_checker=CHECKER), lambda f: (f / "safety_checker").mkdir(),
             put("safety_checker/config.json", b"{}"), put("safety_checker/model.safetensors", b"")),
        "safety_checker is left out, as it does not work without feature_extractor",
    ),
    "an extractor alone": (index(feature_extractor=EXTRACTOR), "feature_extractor is not there"),
    "an image encoder that is not there": (
        index(image_encoder=["transformers", "CLIPVisionModelWithProjection"]), "image_encoder is not there",
    ),
    "an optional part of which there are settings alone": (
        both(index(safety_checker=CHECKER, feature_extractor=EXTRACTOR), lambda f: (f / "safety_checker").mkdir(),
             put("safety_checker/config.json", b"{}")),
        "safety_checker is not there",
    ),
    "an empty folder of an optional part": (
        both(index(feature_extractor=EXTRACTOR), lambda f: (f / "feature_extractor").mkdir()),
        "feature_extractor is not there",
    ),
    "programs beside it": (
        both(*(lambda f, n=name: write_program(f / n, f / "ran") for name in ("app.py", "train.py", "unet/fast.so"))),
        r"app\.py is a program, and is not used",
    ),
    "shards": (shards_with(None, 0), ""),
    "fp16 alone": (as_half, ""),
    "fp16 of one part alone": (lambda f: as_half(f, UNET), ""),
    "a checkpoint beside it": (
        lambda f: shutil.copy(f / UNET, f / "v1-5-pruned-emaonly.safetensors"), "",
    ),
    "a pointer that nobody reads": (both(put("README.md", POINTER), put("v1-5-pruned.ckpt", POINTER)), ""),
}  # fmt: skip

REFUSED: dict[str, tuple[Change, str]] = {
    "a pointer for weights": (
        put(UNET, POINTER),
        rf"{WEIGHTS} is only a Git LFS pointer, not the file itself\. Fetch the file itself with `git lfs pull`",
    ),
    "pointers for two shards": (
        shards_with(POINTER, 2), r"00001-of-00003\.safetensors is only a Git LFS pointer.* So it is with 2 of 3 files",
    ),
    "a pointer for the last shard": (
        lambda f: shard(f)[2].write_bytes(POINTER), r"00003-of-00003\.safetensors is only a Git LFS pointer",
    ),
    "a pointer for a vocabulary": (put(VOCABULARY, POINTER), r"tokenizer\.json is only a Git LFS pointer"),
    "a pointer for settings": (put("unet/config.json", POINTER), r"unet/config\.json is only a Git LFS pointer"),
    "a pointer for the index": (put("model_index.json", POINTER), r"model_index\.json is only a Git LFS pointer"),
    "a pointer for a pickle": (
        both(without(UNET), put("unet/diffusion_pytorch_model.bin", POINTER)), r"model\.bin is only a Git LFS pointer",
    ),
    "a page for weights": (put(UNET, PAGE), r"is a web page that was saved in place of the file\. .*download the file"),
    "a page for settings": (put("scheduler/scheduler_config.json", PAGE), r"scheduler_config\.json is a web page"),
    "a page for a vocabulary": (put(VOCABULARY, PAGE), r"tokenizer\.json is a web page"),
    "a server's answer for weights": (put(UNET, b'<?xml version="1.0"?><Error/>'), r"an answer of a server \(XML\)"),
    "a server's short word": (put(UNET, b"Entry not found"), "is a text, not weights"),
    "a server's word for weights": (put(UNET, b"Access to this model is restricted."), "is a text, not weights"),
    "GGUF for weights": (put(UNET, b"GGUF\3\0\0\0" + bytes(64)), "is a GGUF file.* Look for a copy with safetensors"),
    "HDF5 for weights": (put(UNET, b"\x89HDF\r\n\x1a\n" + bytes(64)), "is an HDF5 file"),
    "GGUF beside the settings": (
        both(without(UNET), put("unet/model-q4.gguf", b"GGUF\3\0\0\0" + bytes(64))), r"model-q4\.gguf is a GGUF file",
    ),
    "weights for other programs": (
        both(without(UNET), put("unet/model.onnx", b"\x08\x07")), r"only in 'model\.onnx'\. It is for other programs",
    ),
    "nothing for weights": (put(UNET, b""), r"is empty \(it has 0 bytes\)\. Its download was broken off"),
    "nothing for settings": (put("unet/config.json", b""), r"config\.json is empty"),
    "a zip for weights": (put(UNET, b"PK\3\4" + bytes(64)), "is a zip archive, or a pickle under another name"),
    "a tar for weights": (put(UNET, bytes(257) + b"ustar" + bytes(64)), "is an archive"),
    "no UNet": (without("unet"), "unet is missing"),
    "no tokenizer": (without("tokenizer"), "tokenizer is missing"),
    "an empty folder for the tokenizer": (
        lambda f: [each.unlink() for each in (f / "tokenizer").iterdir()],
        r"/sd/tokenizer/ has no vocabulary: tokenizer\.json or vocab\.json is missing, or holds no words\. Every",
    ),
    "a tokenizer of settings alone": (without(VOCABULARY), "tokenizer/ has no vocabulary"),
    "no text encoder": (without("text_encoder"), "text_encoder is missing"),
    "a VAE that is null": (index(vae=[None, None]), "names no vae. StableDiffusionPipeline does not work without it"),
    "a shard too few": (shards_with(None, 1), "00001-of-00003.safetensors is missing"),
    "the index of another folder": (without("model_index.json"), "model_index.json is missing"),
}  # fmt: skip


@pytest.mark.parametrize("shape", OPENS)
def test_a_folder_that_people_have_opens(shape: str, sd: Path) -> None:
    change, note = OPENS[shape]
    change(sd)
    verdict = inspect_model(sd)
    assert verdict.refusals == ()
    assert re.search(note, " ".join(map(str, verdict.findings)))
    assert bool(note) == any(each.severity is Severity.NOTE for each in verdict.findings)
    pipeline = build(verdict, "float32")
    assert pipeline("a", num_inference_steps=1, output_type="latent").images.shape == (1, 4, 8, 8)
    assert (pipeline.safety_checker, pipeline.feature_extractor, pipeline.image_encoder) == (None, None, None)
    assert not (sd / "ran").exists()


@pytest.mark.parametrize("shape", REFUSED)
def test_a_folder_that_cannot_be_opened_is_told_as_what_it_is(shape: str, sd: Path) -> None:
    change, words = REFUSED[shape]
    change(sd)
    texts = [str(each) for each in inspect_model(sd).refusals]
    assert len(texts) == 1
    assert re.search(words, texts[0])


def test_a_tokenizer_whose_file_holds_no_words_is_refused_when_it_is_built(sd: Path) -> None:
    content = json.loads((sd / VOCABULARY).read_text())
    content["model"] |= {"vocab": {"<|endoftext|>": 1}, "merges": []}
    (sd / VOCABULARY).write_text(json.dumps(content))
    with pytest.raises(Unfit, match=r"tokenizer/ has no vocabulary"):
        build(inspect_model(sd), "float32")


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("unet", r"holds one part of a pipeline \(UNet2DConditionModel\), not all of it\. Open .*/sd instead\."),
        ("text_encoder", r"holds one part of a pipeline \(CLIPTextModel\), not all of it\. Open .*/sd instead\."),
        ("..", r"model_index\.json is missing\. Open .*/sd, which has one\."),
    ],
)
def test_a_folder_beside_the_right_one(inside: str, words: str, sd: Path) -> None:
    (finding,) = inspect_model(sd / inside).refusals
    assert re.search(words, str(finding))


@pytest.mark.parametrize(
    ("file", "words"),
    [("model.safetensors", "Open the checkpoint in it instead: .*/model.safetensors"),
     ("pytorch_lora_weights.safetensors", r"holds an adapter \(LoRA\), no whole model")],
)  # fmt: skip
def test_a_folder_around_one_file(file: str, words: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    (finding,) = inspect_model(tmp_path).refusals
    assert re.search(words, str(finding))


def test_a_file_for_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    assert "is a GGUF file, whose weights are packed" in inspect_model(path).refusals[0].message


def test_a_file_that_is_only_a_pointer(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(POINTER)
    (finding,) = inspect_model(path).refusals
    assert finding.message == f"{path} is only a Git LFS pointer, not the file itself."


def test_a_header_whose_length_looks_like_a_pickle_is_a_header(tmp_path: Path) -> None:
    """0x0280 bytes of header begin as protocol 2 of a pickle does."""
    text = json.dumps({"__metadata__": {"x": ""}})
    text = json.dumps({"__metadata__": {"x": "y" * (0x280 - len(text))}})
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text.encode() + b"x")
    assert path.read_bytes()[:2] == b"\x80\x02"
    (finding,) = inspect_model(path).refusals
    assert "damaged (its tensors ask for 0 bytes of data, and the file has 1)" in finding.message


# The hub's cache -----------------------------------------------------------------------------------------------------


def as_snapshot(folder: Path, cache: Path, commit: str = COMMIT, reference: str | None = COMMIT) -> Path:
    """A folder as the hub's client keeps it: blobs, and links to them."""
    repository = cache / f"models--{NAME.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    (repository / "blobs").mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = snapshot / path.relative_to(folder)
            blob = repository / "blobs" / str(abs(hash((commit, str(path)))))
            shutil.copy(path, blob)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.path.relpath(blob, place.parent))
    if reference is not None:
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(reference)
    return snapshot


def test_links_of_old_downloads_into_the_hubs_cache_are_followed_in_the_sandbox_too(
    whole_sd: Path, cache: Path, tmp_path: Path
) -> None:
    """`huggingface-cli download --local-dir` once made links to the cache's blobs."""
    snapshot = as_snapshot(whole_sd, cache)
    local = tmp_path / "local"
    for path in (each for each in snapshot.rglob("*") if each.is_symlink()):
        place = local / path.relative_to(snapshot)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())
    verdict = inspect_model(local)
    assert verdict.findings == ()
    check_in_sandbox(verdict, "float32")


@pytest.mark.parametrize("place", ["token", "models--a--b/refs/main", "blobs/token", "datasets--a--b/blobs/x"])
def test_links_to_anything_else_of_the_cache_are_refused(place: str, sd: Path, cache: Path) -> None:
    (cache / place).parent.mkdir(parents=True, exist_ok=True)
    (cache / place).write_text("{}")
    (sd / "unet" / "more.json").symlink_to(cache / place)
    (finding,) = inspect_model(sd).refusals
    assert "more.json is a link out of the folder" in finding.message


def test_a_cache_that_notes_no_main_branch_has_its_one_whole_snapshot_opened(whole_sd: Path, cache: Path) -> None:
    snapshot = as_snapshot(whole_sd, cache, reference=None)
    part = as_snapshot(whole_sd / "scheduler", cache, COMMIT[::-1], reference=None)
    shutil.copy(whole_sd / "model_index.json", part)
    assert (find_model(NAME), hub.find_cached(NAME), hub.cached_names()) == (snapshot, snapshot, (NAME,))
    assert inspect_model(snapshot).findings == ()


@pytest.mark.parametrize("reference", [COMMIT, None])
@pytest.mark.parametrize(
    ("lost", "words"),
    [([UNET], "diffusion_pytorch_model.safetensors is missing"),
     (["unet", ENCODER], r"text_encoder/model\.safetensors and 1 more are missing"),
     (["tokenizer"], "tokenizer is missing")],
)  # fmt: skip
def test_a_partial_snapshot_is_told_as_that(
    reference: str | None, lost: list[str], words: str, sd: Path, cache: Path
) -> None:
    without(*lost)(sd)
    snapshot = as_snapshot(sd, cache, reference=reference)
    assert find_model(NAME) == snapshot
    assert hub.is_begun(NAME) == (reference is not None)
    (finding,) = inspect_model(snapshot).refusals
    assert re.match(rf"Only a part of {NAME} has been downloaded: (unet/)?{words}\.$", finding.message)
    assert finding.explanation.startswith(f"Open {NAME} by that name while there is a network")


def test_a_download_to_a_folder_that_was_broken_off_is_told_as_that(sd: Path) -> None:
    begun = sd / ".cache" / "huggingface" / "download" / "unet"
    begun.mkdir(parents=True)
    (begun / "abc.incomplete").touch()
    assert inspect_model(sd).fit
    (sd / UNET).unlink()
    (finding,) = inspect_model(sd).refusals
    assert finding.message == f"Only a part of {sd} has been downloaded: {UNET} is missing."
    assert finding.explanation.startswith("Start the same `hf download`")


# Addresses -----------------------------------------------------------------------------------------------------------

MEANT = [
    "owner/name", " owner/name ", "owner/name/", "https://huggingface.co/owner/name", "http://huggingface.co/owner/name/",
    "huggingface.co/owner/name", "https://hf.co/owner/name", "hf.co/owner/name", "https://www.huggingface.co/owner/name",
    "https://huggingface.co/owner/name/tree/main", "https://huggingface.co/owner/name/blob/main/unet/config.json",
    "https://huggingface.co/owner/name/resolve/main/a.safetensors?download=true", "HTTPS://HuggingFace.co/owner/name",
    "https://huggingface.co/owner/name?not-for-all-audiences=true", "https://huggingface.co/owner/name#usage",
    "https://huggingface.co/owner/name/discussions/7", "https://huggingface.co/owner/name.git", "  https://hf.co/owner/name\n",
    "git@hf.co:owner/name", "git@huggingface.co:owner/name.git", "ssh://git@hf.co/owner/name", "hf://owner/name",
    "git clone https://huggingface.co/owner/name", '"owner/name"', "'https://huggingface.co/owner/name'",
]  # fmt: skip


@pytest.mark.parametrize("text", MEANT)
def test_an_address_on_the_hub_is_the_name_of_its_repository(text: str) -> None:
    assert hub.from_address(text) == "owner/name"


def test_a_mirror_that_is_named_is_the_hub_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://mirror.example")
    assert hub.from_address("https://mirror.example/owner/name/tree/main") == "owner/name"


@pytest.mark.parametrize(
    ("text", "words"),
    [("git@github.com:owner/name.git", "no address of a model on the hub"),
     ("hf://datasets/owner/name", "no address of a model on the hub"),
     ("https://huggingface.co/datasets/owner/name", "no address of a model on the hub"),
     ("https://huggingface.co/spaces/owner/name", "no address of a model on the hub"),
     ("https://huggingface.co/owner", "no address of a model on the hub"),
     ("https://example.org/owner/name", "no address of a model on the hub"),
     ("https://huggingface.co/owner/na..me", "no address of a model on the hub"),
     ("https://huggingface.co/owner/name/tree/fp16", "leads to fp16, and only the main branch of a model is opened")],
)  # fmt: skip
def test_an_address_of_anything_else_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ModelFolderError, match=words):
        hub.from_address(text)


@pytest.mark.parametrize(
    "text", ["/models/mine", "models/sub/mine", "~/a", "C:\\models", "a.safetensors", "", "a\0b", "http://["]
)
def test_what_is_no_address_stays_as_it_is(text: str) -> None:
    assert hub.from_address(text) == text


def test_a_pasted_address_finds_what_is_in_the_cache(whole_sd: Path, cache: Path) -> None:
    snapshot = as_snapshot(whole_sd, cache)
    assert find_model(f"https://huggingface.co/{NAME}/tree/main") == snapshot
