"""Files that are whole or untouched."""

import errno
from pathlib import Path

import pytest

from sculptor_app.core import files as core_files
from sculptor_app.exports.files import ExportError, check_target, replacing


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def test_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "x.gif"
    write(path, b"first")
    path.chmod(0o640)
    write(path, b"second")
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["x.gif"]


@pytest.mark.parametrize("fault", [RuntimeError("stop"), KeyboardInterrupt()])
def test_old_file_stays_whole_when_writing_fails(tmp_path: Path, fault: BaseException) -> None:
    path = tmp_path / "x.gif"
    path.write_bytes(b"old")
    with pytest.raises(type(fault)), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        raise fault
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.gif"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file leads to a device that is always full: a real ENOSPC, when the buffer is written."""
    path = tmp_path / "x.gif"
    path.write_bytes(b"old")
    monkeypatch.setattr(core_files, "temporary_beside", lambda _: _link_to_full(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, _: open(self, "wb"))  # noqa: PTH123, SIM115  # "x" takes no link
        with pytest.raises(ExportError, match=r"The disk is full: .*x.gif was not written. Free some space"):
            write(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.gif"]


def _link_to_full(folder: Path) -> Path:
    link = folder / ".part"
    link.symlink_to("/dev/full")
    return link


def test_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.gif").write_bytes(b"old")
    (tmp_path / "link.gif").symlink_to("real.gif")
    write(tmp_path / "link.gif", b"new")
    assert (tmp_path / "link.gif").is_symlink()
    assert (tmp_path / "real.gif").read_bytes() == b"new"


def test_vanished_folder_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with pytest.raises(ExportError, match=r"has vanished. Create it again"), replacing(folder / "x.gif"):  # noqa: PT012
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


@pytest.mark.parametrize(
    ("name", "words"),
    [("no/x.gif", "does not exist. Create it"), (".", "is a folder. Add a file name"),
     ("file/x.gif", "is no folder"), ("a" * 300 + ".gif", "too long. Choose a shorter one")],
)  # fmt: skip
def test_places_that_cannot_be_written_are_refused_early(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match=words):
        check_target(tmp_path / name)
    with pytest.raises(ExportError, match=words):
        write(tmp_path / name, b"")


def test_a_check_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    check_target(tmp_path / "x.gif")
    assert names(tmp_path) == []


def test_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ExportError, match=r"may not be written here. Choose another place"):
        check_target(tmp_path / "x.gif")
