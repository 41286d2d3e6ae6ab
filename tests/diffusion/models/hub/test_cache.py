"""Names in the hub's cache, without a network."""

from pathlib import Path

import pytest

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.loader import find_model

COMMIT = "0123456789" * 4


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(cache: Path, name: str, commit: str = COMMIT, reference: bytes | None = None) -> Path:
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_bytes(commit.encode() if reference is None else reference)
    return snapshot


def test_a_name_leads_to_the_snapshot_of_its_main_branch(cache: Path) -> None:
    snapshot = put(cache, "some-one/small.model_1")
    put(cache, "a/b", COMMIT[::-1])
    assert find_model("some-one/small.model_1") == snapshot
    assert hub.cached_names() == ("a/b", "some-one/small.model_1")
    assert hub.name_of(snapshot) == "some-one/small.model_1"
    assert hub.name_of(Path("/models/mine")) == "mine"


def test_a_folder_of_that_name_comes_first(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache, "a/b")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_model("a/b") == tmp_path / "a" / "b"


@pytest.mark.parametrize("reference", [b"", b"main", b"../../../etc", COMMIT.encode() * 2, b"\xff" * 40])
def test_a_reference_that_leads_nowhere(cache: Path, reference: bytes) -> None:
    put(cache, "a/b", reference=reference)
    with pytest.raises(hub.NotInCache) as caught:
        find_model("a/b")
    assert caught.value.name == "a/b"
    assert str(caught.value) == (
        "There is no folder a/b, and no model of that name from the hub is on this computer. Download it, or choose a "
        f"folder that holds a model; downloads lie in {cache}."
    )
    assert hub.cached_names() == ()


def test_a_snapshot_that_is_gone(cache: Path) -> None:
    snapshot = put(cache, "a/b")
    (snapshot / "model_index.json").unlink()
    snapshot.rmdir()
    with pytest.raises(hub.NotInCache):
        hub.find_cached("a/b")
    assert hub.cached_names(cache / "nowhere") == ()


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/", "/b", "a/b/c", "../b", "a/..", ".a/b", "a/b c", "a--b/c", "a/b\n", "http://a/b", "a\\b", "ä/b"],
)
def test_what_is_no_name(text: str, cache: Path) -> None:
    assert not hub.is_name(text)
    with pytest.raises(hub.NotInCache):
        hub.find_cached(text)


@pytest.mark.parametrize("text", ["gone", "/gone/far", "~/gone", "a\0b", "x" * 5000])
def test_what_is_neither_a_folder_nor_a_name(text: str, cache: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"^There is no folder .*\. Choose a folder that holds a model\.$"):
        find_model(text)
