"""What can go wrong between this computer and the hub, each as one clear sentence and what to do next."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from sculptor_app.core.errors import Cancelled, ModelFolderError, SculptorError
from sculptor_app.diffusion.models.hub import cache as hub
from sculptor_app.diffusion.models.verdict import shown_path

_KEPT = "what is there already is kept."


class DownloadFailed(ModelFolderError):
    """A model could not be fetched; what was fetched of it stays and need not be fetched again."""

    may_pass = True
    """Whether it may help to try again."""


class NotGiven(DownloadFailed):
    """A model could not be fetched, and cannot until somebody changes something."""

    may_pass = False


def refuse_offline(name: str) -> None:
    """Refuse to ask the hub where that was forbidden.

    Args:
        name: The repository's.

    Raises:
        DownloadFailed: HF_HUB_OFFLINE is set.
    """
    if hub.is_offline():
        what = f"{name} is no folder and not in the hub's cache, and HF_HUB_OFFLINE forbids to ask the hub for it."
        raise NotGiven(what, "Unset HF_HUB_OFFLINE and start again, or open a model that is here.")


@contextlib.contextmanager
def told(name: str, cache: Path) -> Iterator[None]:
    """Turn what network, hub and disk raise into one sentence.

    Args:
        name: The repository's.
        cache: Where it is put.

    Raises:
        DownloadFailed: For every error that is none of ours.
    """
    try:
        yield
    except (SculptorError, Cancelled):
        raise
    except Exception as error:
        raise _failure(name, cache, error) from error


def _failure(name: str, cache: Path, error: Exception) -> DownloadFailed:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what kept it from asking the hub
    if isinstance(error, errors.GatedRepoError):
        what = f"The model {name} is given only to those who agreed to its terms on the hub."
        return NotGiven(what, "Do so there, and log in with `hf auth login`.")
    if isinstance(error, errors.RepositoryNotFoundError):
        what = f"The model {name} is not on the hub, or not for everyone."
        return NotGiven(what, "Look at how its name is written.")
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return NotGiven(f"{name} has no model_index.json, so it is no diffusers pipeline.", "Choose another.")
    if isinstance(error, errors.LocalEntryNotFoundError) or is_of_network(error):
        what = f"The hub cannot be reached, or the connection to it broke off, so {name} cannot be fetched."
        return DownloadFailed(what, f"Look at the network and try again; {_KEPT}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = f"The disk of {shown_path(cache)} is full, so {name} cannot be fetched whole."
        return DownloadFailed(what, f"Free some space and try again, or set HF_HOME to another disk; {_KEPT}")
    if isinstance(error, PermissionError):
        what = f"Nothing may be written into {shown_path(cache)}, so {name} cannot be fetched."
        return DownloadFailed(what, "Set HF_HOME to a folder of your own.")
    said = shown_path(" ".join(str(error).split())[:200])
    what = f"The model {name} cannot be fetched ({type(error).__name__}: {said})."
    return DownloadFailed(what, f"Try again later; {_KEPT}")


def is_of_network(error: BaseException) -> bool:
    """Whether an error is the network's fault; the hub's client has used several libraries for it."""
    names = {each.__name__ for each in type(error).__mro__}
    return bool(names & {"TransportError", "RequestException"}) or isinstance(error, ConnectionError | TimeoutError)
