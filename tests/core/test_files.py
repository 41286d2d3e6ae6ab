"""Paths that nobody can have are answered, never raised."""

import os
from pathlib import Path

import pytest

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import expanded, is_file, is_folder, is_same_place, typed_path, without_folder
from sculptor_app.core.requests.request import Lora
from sculptor_app.diffusion.models.hub.cache import is_of_the_hub
from sculptor_app.diffusion.models.loader import find_model
from sculptor_app.exports.files import check_target

NOBODY = "~nobody-of-that-name/x"


@pytest.mark.parametrize("path", [NOBODY, "x" * 5000, "a\0b", "loop", "loop/x"])
def test_a_path_that_nobody_can_have(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert (is_file(path), is_folder(path)) == (False, False)
    assert not is_same_place(expanded(path), tmp_path)
    assert not is_of_the_hub("./" + path)
    with pytest.raises(SculptorError):
        find_model(path)
    with pytest.raises(SculptorError):
        Lora.parse(path + ".safetensors").check_file()
    with pytest.raises(SculptorError):
        check_target(Path(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_not_the_current_folder(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (is_file(path), is_folder(path)) == (False, False)
    with pytest.raises(ValueError, match="empty"):
        typed_path(path)
    with pytest.raises(SculptorError):
        find_model(path)


def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        with pytest.raises(SculptorError):
            check_target(Path("x.gif"))
        assert is_same_place(Path("x"), Path("x"))
    finally:
        os.chdir(tmp_path)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/ada/models/sd15", "sd15"), ("/home/ada/models/sd15/", "sd15"), ("~/models/sd15", "sd15"),
        ("../sd15", "sd15"), ("./sd15", "sd15"), (r"C:\Users\ada\sd15", "sd15"), ("C:/Users/ada/x.png", "x.png"),
        (r"\\server\ada\x.png", "x.png"), ("ada/models/sd15", "sd15"), (r"ada\sd15", "sd15"),
        ("owner/name", "owner/name"), ("x.png", "x.png"), ("", ""), ("/", "/"),
    ],
)  # fmt: skip
def test_a_path_without_its_folder(path: str, shown: str) -> None:
    assert without_folder(path) == shown


def test_a_folder_that_is_there_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ada" / "sd15").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert without_folder("ada/sd15") == "sd15"
