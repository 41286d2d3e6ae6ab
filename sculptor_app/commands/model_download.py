"""A model of the hub that is not on this computer: what fetching it takes, or the fetching itself."""

import argparse
import sys
from typing import TYPE_CHECKING

from sculptor_app.commands.terminal import Interruption, ProgressBar, is_terminal, say
from sculptor_app.core.errors import Cancelled, ModelFolderError

if TYPE_CHECKING:
    from sculptor_app.diffusion.models.hub.offer import Offer


def add_download(group: argparse._ActionsContainer) -> None:
    """Add the permission to fetch a model."""
    group.add_argument("--download", action="store_true", help="fetch what of a model of the hub is not here; Ctrl-C "
                       "keeps what has come")  # fmt: skip


def bring_model(arguments: argparse.Namespace, interruption: Interruption) -> None:
    """Fetch what is missing of the model that was named, if that is wanted.

    Args:
        arguments: With `model` and `download`.
        interruption: Ends it.

    Raises:
        ModelFolderError: It is not here, and to be fetched neither; says how large it is where that can be known.
        Cancelled: It was interrupted.
    """
    if arguments.model is None:
        return
    from sculptor_app.diffusion.models.hub.presence import offer_of_missing

    offer = offer_of_missing(arguments.model)
    if offer is None:
        return
    if not arguments.download:
        here = "Only a part of the model is" if offer.is_begun else "The model is not"
        raise ModelFolderError(f"{here} on this computer. {offer.words}.", "Add --download to fetch it.")
    _fetch(offer, interruption)


def _fetch(offer: "Offer", interruption: Interruption) -> None:
    from sculptor_app.diffusion.models.hub.download import download

    if is_terminal(sys.stderr):
        say(f"{offer.words}.", sys.stderr)
    with ProgressBar("Downloading", offer.total_bytes, "B", is_scaled=True) as bar:
        try:
            download(offer, lambda done, _: bar.move_to(done), interruption.event)
        except Cancelled as error:
            what = f"Interrupted; what has come of {offer.name} is kept, and --download goes on from there."
            raise Cancelled(what) from error
