"""Cache of the Hugging Face hub: models on this computer by their names; needs neither network nor torch."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.files import atomic_file, expanded, is_folder, is_there
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.folder import INDEX, MOST_JSON_BYTES, parse_json, repository_name
from sculptor_app.diffusion.models.folder import cache_folder as cache_folder
from sculptor_app.diffusion.models.verdict import shown_path

MAIN = "main"

_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PREFIX = "models--"
_SHARD = re.compile(r"(.*)-\d{5}-of-(\d{5})(\..*)")
OFTEN_ABSENT = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that a pipeline works without."""
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_NO_OWNERS = (
    "api", "blog", "buckets", "chat", "collections", "datasets", "docs", "join", "kernels", "learn", "login", "models",
    "new", "organizations", "papers", "posts", "pricing", "search", "settings", "spaces", "tasks",
)  # fmt: skip
"""What the hub's addresses begin with where they lead to no model."""
_OTHER_ADDRESSES = (
    (re.compile(r"^git\s+clone\s+(?=\S+$)"), ""),
    (re.compile(r"^(?:ssh://)?git@([^:/\s]+)[:/]"), r"https://\1/"),
    (re.compile(r"^hf://(?:models/)?"), "https://huggingface.co/"),
)
"""Other ways to write an address, as git and `huggingface_hub` take it, and how a browser has it."""
_OF_A_BRANCH = ("blob", "commit", "commits", "edit", "raw", "resolve", "tree")


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


def is_name(text: str) -> bool:
    """Whether a text can be the name of a repository: "owner/name"."""
    return _NAME.fullmatch(text) is not None and "--" not in text and ".." not in text


def from_address(model: str) -> str:
    """A model as a person gives it, with an address on the hub, ".../owner/name/tree/main", brought to "owner/name".

    Raises:
        ModelFolderError: It is an address of something else, or of another branch.
    """
    text = model.strip().strip("\"'")
    for pattern, usual in _OTHER_ADDRESSES:
        text = pattern.sub(usual, text)
    if is_name(text.rstrip("/")):
        return text.rstrip("/")
    host, slash, _ = text.lower().partition("/")
    try:
        address = urlsplit(f"https://{text}" if slash and host in _hosts() else text)
    except ValueError:  # brackets that are no address
        return model
    if address.scheme not in ("http", "https"):
        return model
    owner, name, *rest = (*[part for part in address.path.split("/") if part], "", "")
    repository = f"{owner}/{name.removesuffix('.git')}"
    if address.netloc.lower() not in _hosts() or owner in _NO_OWNERS or not is_name(repository):
        raise ModelFolderError(
            translate("errors", "{0} is no address of a model on the hub.").format(shown_path(text)),
            translate("errors", "Give the name of a model as owner/name, or open a model's folder or file."),
        )
    if rest[0] in _OF_A_BRANCH and rest[1:2] not in ([MAIN], [""]):
        raise ModelFolderError(
            translate("errors", "{0} leads to {1}, and only the main branch of a model is opened.").format(
                shown_path(text), shown_path(rest[1])
            ),
            translate("errors", "Give {0} for the main branch, or download the other one and open its folder.").format(
                repository
            ),
        )
    return repository


def _hosts() -> tuple[str, ...]:
    """The hub's hosts; HF_ENDPOINT names another."""
    from huggingface_hub import constants

    return (*_HOSTS, urlsplit(constants.ENDPOINT).netloc.lower())


def is_of_the_hub(model: str) -> bool:
    """Whether a person means a repository, and not a path."""
    try:
        return is_name(model) and not expanded(model).exists()
    except OSError:
        return False


def is_commit(text: str) -> bool:
    """Whether a text can be the hash of a commit."""
    return _COMMIT.fullmatch(text) is not None


def find_cached(name: str, cache: Path | None = None) -> Path:
    """Snapshot of a repository's main branch as last downloaded, perhaps incomplete; `NotInCache` if there is none."""
    found = _snapshot(_repository(name, cache_folder() if cache is None else cache))
    if found is None:
        raise NotInCache(name)
    return found


def find_begun(name: str) -> Path:
    """The same, or else the newest snapshot of which only a part has come; `NotInCache` if there is none of either."""
    repository = _repository(name, cache_folder())
    found = _snapshot(repository)
    if found is None and not is_there(repository / "refs" / MAIN):
        found = max(_snapshots(repository), key=_age_key, default=None)
    if found is None:
        raise NotInCache(name)
    return found


def _snapshot(repository: Path) -> Path | None:
    """The snapshot of a cached repository that is opened: that of its main branch, else the newest whole one."""
    reference = repository / "refs" / MAIN
    commit = _commit(reference)
    if commit is not None or is_there(reference):
        found = repository / "snapshots" / (commit or "none")
        return found if commit is not None and is_folder(found) else None
    # A download of one commit or of another branch notes no main branch.
    return max(filter(_is_whole, _snapshots(repository)), key=_age_key, default=None)


def _snapshots(repository: Path) -> list[Path]:
    return [each for each in _found(repository, "snapshots/*") if is_commit(each.name) and is_there(each / INDEX)]


def _found(folder: Path, pattern: str) -> list[Path]:
    """What is in a folder; nothing in one that may not be entered."""
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def _age_key(snapshot: Path) -> int:
    return snapshot.stat().st_mtime_ns


def _is_whole(snapshot: Path) -> bool:
    """Whether every component that a snapshot's index names has its files, by their names alone."""
    try:
        index = parse_json((snapshot / INDEX).read_bytes()[: MOST_JSON_BYTES + 1])
        parts = [name for name, entry in index.items() if isinstance(entry, list) and entry[:1] != [None]]
        return all(_has_files(snapshot / part) for part in parts if part.isidentifier() and part not in OFTEN_ABSENT)
    except (OSError, ValueError, AttributeError):
        return False


def _has_files(folder: Path) -> bool:
    if not folder.is_dir():  # the oldest models lie beside their index
        return any(each.exists() for each in folder.parent.glob("diffusion_pytorch_model*"))
    names = {each.name for each in folder.iterdir() if each.exists()}  # a link of a broken-off download leads nowhere
    shards = [match for match in map(_SHARD.fullmatch, names) if match is not None]
    whole = all(f"{shard[1]}-{number:05}-of-{shard[2]}{shard[3]}" in names
                for shard in shards for number in range(1, min(int(shard[2]), len(names)) + 1))  # fmt: skip
    return bool(names - {"config.json"}) and whole and all(len(names) > int(shard[2]) for shard in shards)


def snapshot_of(name: str, commit: str, cache: Path) -> Path:
    """Where a repository's files of a commit are, or will be."""
    return _repository(name, cache) / "snapshots" / commit


def note_main(name: str, commit: str, cache: Path) -> None:
    """Note which commit a repository's main branch is at: `find_cached` finds its files from now on."""
    reference = _repository(name, cache) / "refs" / MAIN
    reference.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(reference) as file:
        file.write(commit.encode("ascii"))


def cached_names(cache: Path | None = None) -> tuple[str, ...]:
    """The names of all pipelines in the cache, in order."""
    root = cache_folder() if cache is None else cache
    names = []
    for folder in sorted(_found(root, f"{_PREFIX}*")):
        name = folder.name.removeprefix(_PREFIX).replace("--", "/", 1)
        snapshot = _snapshot(folder)
        if is_name(name) and snapshot is not None and is_there(snapshot / INDEX):
            names.append(name)
    return tuple(names)


def is_begun(name: str) -> bool:
    """Whether a repository's snapshot that would be opened is in the cache, or a part of it."""
    try:
        find_cached(name)
    except NotInCache:
        return False
    return True


def is_partly_here(name: str) -> bool:
    """Whether anything of a repository is in the cache: it may be a snapshot of which only a part has come."""
    try:
        find_begun(name)
    except NotInCache:
        return False
    return True


def is_partial(name: str) -> bool:
    """Whether only a part of a repository is in the cache, by the names of its files."""
    try:
        return not _is_whole(find_begun(name))
    except NotInCache:
        return False


def name_of(path: Path) -> str:
    """What a model is called: the repository's name for a snapshot of the cache, else the folder's or file's."""
    return repository_name(path) or path.name


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
