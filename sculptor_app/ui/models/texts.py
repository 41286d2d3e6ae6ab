"""Texts about a model that is loaded or downloaded, and the rate of a download."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.texts import byte_text, plural
from sculptor_app.session.engine import LoadingProgress
from sculptor_app.ui.playback.texts import duration_text

if TYPE_CHECKING:
    from sculptor_app.session.engine import Finding, Offer

RATE_S = 6.0
"""Over which a rate is taken: it should not jump, and follow the network."""

translate = QCoreApplication.translate  # a name that lupdate knows


def loading_text(progress: LoadingProgress) -> str:
    """How far the loading of a model is, as "reading unet (2 of 5)"."""
    if progress.stage.value == "converting":
        text = translate("Models", "reading the pickled weights of {0} in a separate process ({1} of {2})")
        return text.format(progress.part, progress.number, progress.of)
    if progress.stage.value == "reading" and progress.part:
        return translate("Models", "reading {0} ({1} of {2})").format(progress.part, progress.number, progress.of)
    return {
        "checking": translate("Models", "checking what is in the folder"),
        "trying": translate("Models", "trying it in a separate process"),
        "reading": translate("Models", "reading its weights"),
        "moving": translate("Models", "bringing it to where it computes"),
    }[progress.stage.value]


def offer_text(offer: Offer) -> str:
    """As "owner/name: 5.1 GB in 14 files, 3.2 GB of it not here yet; the disk of … has 80.0 GB left."."""
    whole = byte_text(offer.total_bytes)
    left = translate("Models", "the disk of {0} has {1} left.").format(offer.cache, byte_text(offer.free_bytes))
    count = len(offer.files)
    files = plural(count, translate("Models", "1 file"), translate("Models", "{0} files")).format(count)
    if offer.has_pickles:
        left += " " + translate("Models", "Its weights are pickles; you are asked again before they are read.")
    if not offer.is_begun:
        return translate("Models", "{0}: {1} in {2}; {3}").format(offer.name, whole, files, left)
    text = translate("Models", "{0}: {1} in {2}, {3} of it not here yet; {4}")
    return text.format(offer.name, whole, files, byte_text(offer.missing_bytes), left)


def pickles_text(name: str, findings: Sequence[Finding]) -> tuple[str, str]:
    """What is said of a model whose weights are pickles, and the question whether they may be converted."""
    size = byte_text(sum(each.pickled_bytes for each in findings))
    what = translate("Models", "The weights of {0} are pickles ({1}), and opening a pickle can run code in it.")
    how = translate(
        "Models",
        "They can be read in a separate process that may do little, where nothing of them is run; a copy without code, "
        "of {0}, is kept and opened.",
    )
    return what.format(name, size), how.format(size)


class TransferClock:
    """How fast bytes come in; those that were there before, `there`, are no transfer."""

    def __init__(self, there: int) -> None:
        self._there = there
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, done: int) -> None:
        """So many bytes are there now."""
        if done <= self._there or (self._seen and done < self._seen[-1][1]):  # or a file began again
            self._seen.clear()
        self._seen.append((now_s, done))
        while now_s - self._seen[0][0] > RATE_S:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Bytes per second; None as long as nobody knows."""
        if len(self._seen) < 2 or self._seen[-1][0] - self._seen[0][0] < 1:
            return None
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s)


def transfer_text(done: int, total: int, rate: float | None) -> str:
    """As "1.2 GB of 5.1 GB · 12.4 MB/s · 5 min 14 s left"."""
    parts = [translate("Models", "{0} of {1}").format(byte_text(done), byte_text(total))]
    if rate is not None:
        parts.append(translate("Models", "{0}/s").format(byte_text(rate)))
    if rate and done < total:
        parts.append(translate("Models", "{0} left").format(duration_text((total - done) / rate)))
    return " · ".join(parts)
