"""Fetching from a hub that runs on this computer: only what is needed, the size first, progress to the byte."""

import errno
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from sculptor_app.core.errors import Cancelled
from sculptor_app.diffusion.models.folder import MOST_JSON_BYTES
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.hub.download import DownloadFailed, Offer, _is_fit, download, find_offer
from sculptor_app.diffusion.models.loader import inspect_model
from sculptor_app.diffusion.models.verdict import ModelRefused
from tests.helpers.diffusers_models import WEIGHTS, ddpm, save
from tests.helpers.small_hub import COMMIT, NAME, Hub, files_of, serving

BLOBS = "models--someone--small/blobs"
WANTED = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", f"unet/{WEIGHTS}"]


@pytest.fixture(autouse=True)
def a_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """These tests alone may speak to this computer's own address."""
    import huggingface_hub

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield
    huggingface_hub.close_session()


@pytest.fixture
def served(whole_ddpm: Path) -> Iterator[Hub]:
    with serving(files_of(whole_ddpm)) as small_hub:
        yield small_hub


def offered(served: Hub, cache: Path, **choices: Any) -> Offer:
    return find_offer(NAME, cache=cache, endpoint=served.address, **choices)


def names(what: Offer) -> list[str]:
    return [name for name, _ in what.files]


def test_a_model_is_offered_with_its_size_fetched_and_found(served: Hub, tmp_path: Path) -> None:
    served.files |= {"README.md": b"x" * 1000, "samples.png": b"x" * 1000, "v1.ckpt": b"x" * 1000}
    served.files |= {"unet/diffusion_pytorch_model.bin": b"x" * 1000, "unet/diffusion_pytorch_model.msgpack": b"x"}
    what = offered(served, tmp_path)
    assert served.fetched == ["model_index.json"]
    assert (names(what), what.commit) == (WANTED, COMMIT)
    assert what.total_bytes == sum(len(served.files[name]) for name in WANTED)
    assert what.missing_bytes == what.total_bytes - len(served.files["model_index.json"])
    reports: list[tuple[int, int]] = []
    folder = download(what, lambda *state: reports.append(state))
    assert served.fetched == WANTED
    assert reports == sorted(reports)
    assert reports[0] == (0, what.total_bytes)
    assert reports[-1] == (what.total_bytes, what.total_bytes)
    assert hub.find_cached(NAME, tmp_path) == folder
    assert hub.cached_names(tmp_path) == (NAME,)
    assert inspect_model(folder).findings == ()
    again = offered(served, tmp_path)
    assert again.missing_bytes == 0
    assert download(again) == folder
    assert served.fetched == WANTED


def test_a_stop_keeps_what_is_whole(served: Hub, tmp_path: Path) -> None:
    what, stop = offered(served, tmp_path), threading.Event()

    def watch(done: int, total: int) -> None:
        if done >= total - len(served.files[f"unet/{WEIGHTS}"]):
            stop.set()

    with pytest.raises(Cancelled):
        download(what, watch, stop)
    assert f"unet/{WEIGHTS}" not in served.fetched
    with pytest.raises(hub.NotInCache):  # it is none yet
        hub.find_cached(NAME, tmp_path)
    assert hub.cached_names(tmp_path) == ()
    assert inspect_model(download(offered(served, tmp_path))).fit


def test_a_stop_in_the_middle_of_a_file_is_gone_on_from(served: Hub, tmp_path: Path) -> None:
    what, stop = offered(served, tmp_path), threading.Event()
    weights = f"unet/{WEIGHTS}"
    size = len(served.files[weights])
    served.breaks = [10**9, 10**9, 8192]

    def watch(done: int, total: int) -> None:
        if done > total - size:
            stop.set()

    with pytest.raises(Cancelled):
        download(what, watch, stop)
    rest = offered(served, tmp_path)
    assert size - 8192 <= rest.missing_bytes < size
    reports: list[int] = []
    served.sent.clear()
    assert inspect_model(download(rest, lambda done, _: reports.append(done))).fit
    assert served.fetched[-2:] == [weights, weights]
    assert served.sent == [rest.missing_bytes]
    assert reports == sorted(reports)
    assert not list(tmp_path.rglob("*.incomplete*"))


@pytest.mark.parametrize("knows_parts", [True, False])
def test_a_connection_that_breaks_is_made_again(knows_parts: bool, served: Hub, tmp_path: Path) -> None:
    what = offered(served, tmp_path)
    served.knows_parts = knows_parts
    size = len(served.files[f"unet/{WEIGHTS}"])
    served.breaks = [10**9, 10**9, size // 2, *([size // 4] if knows_parts else [])]
    reports: list[int] = []
    assert inspect_model(download(what, lambda done, _: reports.append(done))).fit
    assert reports[-1] == what.total_bytes
    assert (reports == sorted(reports)) is knows_parts  # else it begins again


def test_large_files_come_from_elsewhere_and_a_persons_token_does_not_go_there(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(served.files) as other:
        served.elsewhere, other.breaks = other.address, [5_000]
        folder = download(offered(served, tmp_path))
    assert inspect_model(folder).findings == ()
    assert other.fetched == [f"unet/{WEIGHTS}"] * 2  # once more from where it broke off
    assert other.sent[1] == len(served.files[f"unet/{WEIGHTS}"]) - 5_000
    assert set(served.tokens) == {"Bearer hf_secret"}
    assert set(other.tokens) == {None}


def test_a_connection_that_brings_nothing_any_more(served: Hub, tmp_path: Path) -> None:
    what = offered(served, tmp_path)
    served.breaks = [10**9, 10**9, 8192, 0]
    with pytest.raises(DownloadFailed, match=r"connection to it broke off, .* Look at the network and try again"):
        download(what)
    assert offered(served, tmp_path).missing_bytes == len(served.files[f"unet/{WEIGHTS}"]) - 8192


def test_what_is_not_what_was_announced_is_not_kept(served: Hub, tmp_path: Path) -> None:
    weights = served.files[f"unet/{WEIGHTS}"]
    part = tmp_path / BLOBS / f"{hashlib.sha256(weights).hexdigest()}.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with pytest.raises(DownloadFailed, match="not the one announced"):
        download(offered(served, tmp_path))
    assert inspect_model(download(offered(served, tmp_path))).fit
    for extra in (b"", b"x" * len(weights)):  # whole already, and too long
        shutil.rmtree(tmp_path / "models--someone--small" / "snapshots")
        (part.parent / part.stem).unlink()
        part.write_bytes(weights + extra)
        assert inspect_model(download(offered(served, tmp_path))).fit


def test_two_at_the_same_file(served: Hub, tmp_path: Path) -> None:
    weights = served.files[f"unet/{WEIGHTS}"]
    blob = tmp_path / BLOBS / hashlib.sha256(weights).hexdigest()
    blob.parent.mkdir(parents=True)
    with FileLock(f"{blob}.lock"), pytest.raises(DownloadFailed, match="Another program is fetching someone/small"):
        download(offered(served, tmp_path))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left"), r"disk of .* is full, so someone/small .* Free some space"),
        (PermissionError(errno.EACCES, "no"), "Nothing may be written into .* Set HF_HOME"),
        (TimeoutError(), "connection to it broke off"),
        (ValueError("odd"), r"cannot be fetched \(ValueError: odd\)"),
    ],
)
def test_whatever_fails_in_the_middle_is_one_sentence(
    error: Exception, words: str, served: Hub, tmp_path: Path
) -> None:
    def fail(done: int, total: int) -> None:
        if done > total // 2:
            raise error

    with pytest.raises(DownloadFailed, match=words):
        download(offered(served, tmp_path), fail)


def test_variants_and_shards(served: Hub, tmp_path: Path) -> None:
    whole = files_of(save(ddpm, tmp_path / "a", variant="fp16", max_shard_size="20KB"))
    shards = sorted(name for name in whole if "-of-" in name)
    assert len(shards) > 2
    served.files |= whole
    assert names(offered(served, tmp_path / "c")) == WANTED
    half = names(offered(served, tmp_path / "c", variant="fp16"))
    index = "unet/diffusion_pytorch_model.safetensors.index.fp16.json"
    assert half == sorted([*WANTED[:3], index, *shards])
    settings = names(offered(served, tmp_path / "c", settings_only=True))
    assert settings == WANTED[:3]
    assert inspect_model(download(offered(served, tmp_path / "c", variant="fp16")), "fp16").findings == ()


def test_a_model_whose_parts_lie_beside_its_index(served: Hub, tmp_path: Path) -> None:
    """As the oldest ones do: google/ddpm-cat-256."""
    served.files = {name.rpartition("/")[2]: content for name, content in served.files.items()}
    what = offered(served, tmp_path)
    assert names(what) == ["config.json", WEIGHTS, "model_index.json", "scheduler_config.json"]
    verdict = inspect_model(download(what))
    assert verdict.findings == ()
    assert {component.folder for component in verdict.components} == {verdict.path}


def test_pickles_and_programs_are_refused_before_anything_is_fetched(served: Hub, tmp_path: Path) -> None:
    served.files["unet/diffusion_pytorch_model.bin"] = served.files.pop(f"unet/{WEIGHTS}")
    with pytest.raises(ModelRefused, match="has the weights of unet only as pickles"):
        offered(served, tmp_path)
    served.files["None.py"] = b""
    with pytest.raises(ModelRefused, match=r"has the program 'None\.py' run"):
        offered(served, tmp_path)
    assert served.fetched == ["model_index.json"]


def test_pickles_are_fetched_where_they_are_wanted(served: Hub, tmp_path: Path) -> None:
    served.files["unet/diffusion_pytorch_model.bin"] = served.files.pop(f"unet/{WEIGHTS}")
    served.files["unet/diffusion_pytorch_model.fp16.bin"] = b"more"
    what = offered(served, tmp_path, pickles=True)
    assert what.has_pickles
    assert names(what) == [*WANTED[:3], "unet/diffusion_pytorch_model.bin"]
    (finding,) = inspect_model(download(what)).refusals
    assert finding.pickled_bytes == len(served.files["unet/diffusion_pytorch_model.bin"])


def test_a_program_that_merely_lies_there_is_not_fetched_and_no_reason_to_refuse(served: Hub, tmp_path: Path) -> None:
    served.files |= {"app.py": b"raise SystemExit", "unet/train.py": b""}
    assert names(offered(served, tmp_path)) == WANTED


@pytest.mark.parametrize("index", [b"[]", b"{", b'{"a":' * 10_000, b"\xff"])
def test_an_index_that_is_none(index: bytes, served: Hub, tmp_path: Path) -> None:
    served.files["model_index.json"] = index
    with pytest.raises(ModelRefused, match=r"model_index\.json cannot be read"):
        offered(served, tmp_path)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "GatedRepo", "only to those who agreed to its terms"), (401, "RepoNotFound", "is not on the hub"),
        (404, "RepoNotFound", "is not on the hub"), (404, "EntryNotFound", "has no model_index.json"),
        (418, "Tea", r"cannot be fetched \("),
    ],
)  # fmt: skip
def test_what_the_hub_refuses_is_one_sentence(status: int, code: str, words: str, served: Hub, tmp_path: Path) -> None:
    served.refuse = (status, code)
    with pytest.raises(DownloadFailed, match=words) as caught:
        offered(served, tmp_path)
    assert caught.value.advice


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadFailed, match="HF_HUB_OFFLINE forbids to ask"):
        find_offer(NAME, cache=tmp_path)
    with pytest.raises(DownloadFailed, match="no name of a repository"):
        find_offer("../x", cache=tmp_path)


def test_a_model_that_vanishes_while_it_is_inspected_is_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(path: Path) -> None:
        raise OSError("it is gone")

    monkeypatch.setattr(hub, "find_cached", lambda name: tmp_path)
    monkeypatch.setattr("sculptor_app.diffusion.models.hub.download.inspect_folder", vanished)
    assert not _is_fit(NAME)


def test_a_disk_that_is_too_small(served: Hub, tmp_path: Path) -> None:
    what = replace(offered(served, tmp_path), free_bytes=10)
    with pytest.raises(DownloadFailed, match=r"takes \d+ kB more, and the disk of .* has 10 bytes left"):
        download(what)
    assert served.fetched == ["model_index.json"]


@pytest.mark.parametrize("name", ["unet/../../../evil.json", "unet\\..\\evil.json", "C:evil.json"])
def test_files_are_put_nowhere_else(name: str, served: Hub, tmp_path: Path) -> None:
    what = replace(offered(served, tmp_path), files=((name, 4),))
    served.files[name] = b"evil"
    with pytest.raises(DownloadFailed, match="is no name of a file"):
        download(what)
    assert not list(tmp_path.rglob("*evil.json"))


def test_an_index_of_no_size_and_a_hub_that_says_nothing(served: Hub, tmp_path: Path) -> None:
    served.files["model_index.json"] = b" " * (MOST_JSON_BYTES + 1)
    with pytest.raises(ModelRefused, match=r"model_index\.json of someone/small is .* large"):
        offered(served, tmp_path)
    served.commit = "main"
    with pytest.raises(DownloadFailed, match="does not say which state"):
        offered(served, tmp_path)


def test_an_index_that_names_folders_elsewhere(served: Hub, tmp_path: Path) -> None:
    index = json.loads(served.files["model_index.json"])
    served.files["model_index.json"] = json.dumps(index | {"../up": ["diffusers", "X"], "a.b": ["x", "y"]}).encode()
    assert names(offered(served, tmp_path)) == WANTED
