"""Whether a model that is named is on this computer, and what of it would have to be fetched."""

from __future__ import annotations

from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.hub.errors import DownloadFailed
from sculptor_app.diffusion.models.hub.offer import Offer, offer


def offer_of_missing(model: str) -> Offer | None:
    """What is to be fetched before a model can be opened; None where all of it is here, or where it is no name.

    The hub is asked only for what is not here, or not fit to be opened as it is.

    Raises:
        DownloadFailed: Nothing of it is here, and the hub cannot be reached or does not give it.
        ModelRefused: The same, and what the hub has could not be opened safely.
    """
    if not cache.is_of_the_hub(model):
        return None
    begun = cache.is_begun(model)
    if begun and _is_fit(model):
        return None
    try:
        found = offer(model)
    except DownloadFailed:
        if begun:  # what is here says by itself what it lacks
            return None
        raise
    return found if found.missing_bytes or not begun else None


def _is_fit(name: str) -> bool:
    from sculptor_app.diffusion.models.loader import judge  # torch takes seconds to import

    return judge(cache.find_cached(name).resolve()).fit
