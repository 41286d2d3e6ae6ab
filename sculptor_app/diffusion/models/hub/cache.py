"""Cache of the Hugging Face hub: models on this computer by their names; needs neither network nor torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.texts import translate

MAIN = "main"

_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PREFIX = "models--"


class NotInCache(ModelFolderError):
    """A repository is not, or not yet, on this computer."""

    def __init__(self, name: str) -> None:
        super().__init__(
            translate(
                "errors", "There is no folder {0}, and no model of that name from the hub is on this computer."
            ).format(name),
            translate("errors", "Download it, or choose a folder that holds a model; downloads lie in {0}.").format(
                cache_folder()
            ),
        )
        self.name = name


def cache_folder() -> Path:
    """Where downloaded repositories lie; HF_HOME and HF_HUB_CACHE name other places."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).expanduser()


def is_name(text: str) -> bool:
    """Whether a text can be the name of a repository: "owner/name"."""
    return _NAME.fullmatch(text) is not None and "--" not in text and ".." not in text


def is_of_the_hub(model: str) -> bool:
    """Whether a person means a repository, and not a path."""
    try:
        return is_name(model) and not Path(model).expanduser().exists()
    except OSError:
        return False


def is_commit(text: str) -> bool:
    """Whether a text can be the hash of a commit."""
    return _COMMIT.fullmatch(text) is not None


def find_cached(name: str, cache: Path | None = None) -> Path:
    """Snapshot of a repository's main branch as last downloaded, perhaps incomplete; `NotInCache` if there is none."""
    repository = _repository(name, cache_folder() if cache is None else cache)
    commit = _commit(repository / "refs" / MAIN)
    if commit is None or not (repository / "snapshots" / commit).is_dir():
        raise NotInCache(name)
    return repository / "snapshots" / commit


def snapshot_of(name: str, commit: str, cache: Path) -> Path:
    """Where a repository's files of a commit are, or will be."""
    return _repository(name, cache) / "snapshots" / commit


def note_main(name: str, commit: str, cache: Path) -> None:
    """Note which commit a repository's main branch is at: `find_cached` finds its files from now on."""
    reference = _repository(name, cache) / "refs" / MAIN
    reference.parent.mkdir(parents=True, exist_ok=True)
    temporary = reference.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(commit, encoding="ascii")
    temporary.replace(reference)


def cached_names(cache: Path | None = None) -> tuple[str, ...]:
    """The names of all pipelines in the cache, in order."""
    root = cache_folder() if cache is None else cache
    names = []
    for folder in sorted(root.glob(f"{_PREFIX}*")):
        name = folder.name.removeprefix(_PREFIX).replace("--", "/", 1)
        commit = _commit(folder / "refs" / MAIN)
        if is_name(name) and commit and (folder / "snapshots" / commit / "model_index.json").exists():
            names.append(name)
    return tuple(names)


def is_begun(name: str) -> bool:
    """Whether a repository is in the cache, or a part of it."""
    try:
        find_cached(name)
    except NotInCache:
        return False
    return True


def name_of(path: Path) -> str:
    """What a model is called: the repository's name for a snapshot of the cache, else the folder's or file's."""
    repository = path.parent.parent.name
    if path.parent.name == "snapshots" and repository.startswith(_PREFIX):
        return repository.removeprefix(_PREFIX).replace("--", "/", 1)
    return path.name


def _repository(name: str, cache: Path) -> Path:
    if not is_name(name):
        raise NotInCache(name)
    return cache / f"{_PREFIX}{name.replace('/', '--')}"


def _commit(reference: Path) -> str | None:
    """The commit that a branch was at; None where it is not known."""
    try:
        with reference.open(encoding="ascii") as file:
            text = file.read(64).strip()
    except (OSError, ValueError):
        return None
    return text if _COMMIT.fullmatch(text) else None


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)
