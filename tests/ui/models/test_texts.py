"""What is said of a model on its way in, by table."""

from pathlib import Path

import pytest

from sculptor_app.core.texts import byte_text
from sculptor_app.diffusion.models.hub.download import Offer
from sculptor_app.diffusion.models.verdict import LoadingProgress, LoadingStage
from sculptor_app.ui.models.texts import TransferClock, loading_text, offer_text, transfer_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (840, "840 bytes"), (12_300, "12 kB"), (999_949, "1000 kB"), (999_960, "1.0 MB"),
     (5_120_000_000, "5.1 GB"),
     (999_960_000, "1.0 GB"), (2.04e12, "2.0 TB")],
)  # fmt: skip
def test_sizes(count: float, text: str) -> None:
    assert byte_text(count) == text


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (LoadingProgress(LoadingStage.CHECKING), "checking what is in the folder"),
        (LoadingProgress(LoadingStage.SANDBOX), "trying it in a separate process"),
        (LoadingProgress(LoadingStage.READING, "unet", 2, 5), "reading unet (2 of 5)"),
        (LoadingProgress(LoadingStage.READING), "reading its weights"),
        (LoadingProgress(LoadingStage.MOVING), "bringing it to where it computes"),
    ],
)
def test_loading(progress: LoadingProgress, text: str) -> None:
    assert loading_text(progress) == text


def test_what_is_said_of_it_on_the_command_line() -> None:
    assert str(LoadingProgress(LoadingStage.READING, "unet", 2, 5)) == "reading unet (2 of 5)"
    assert str(LoadingProgress(LoadingStage.SANDBOX)) == "trying the model"


def test_offers() -> None:
    files = (("model_index.json", 100_000_000), ("unet/x.safetensors", 5_000_000_000))
    offer = Offer("a/b", "", Path("/disk"), "", files, 3_200_000_000, 80_000_000_000)
    words = "a/b: 5.1 GB in 2 files, 3.2 GB of it not here yet; the disk of /disk has 80.0 GB left"
    assert offer.summary == words
    assert offer_text(offer) == f"{words}."
    whole = Offer("a/b", "", Path("/disk"), "", files, 5_100_000_000, 80_000_000_000)
    assert whole.summary == "a/b: 5.1 GB in 2 files; the disk of /disk has 80.0 GB left"
    assert offer_text(whole) == f"{whole.summary}."


def test_how_far_a_transfer_is() -> None:
    assert transfer_text(10**9, 5 * 10**9, None) == "1.0 GB of 5.0 GB"
    assert transfer_text(10**9, 5 * 10**9, 2e7) == "1.0 GB of 5.0 GB · 20.0 MB/s · 3 min 20 s left"
    assert transfer_text(10**9, 5 * 10**9, 0.0) == "1.0 GB of 5.0 GB · 0 bytes/s"
    assert transfer_text(5, 5, 1000.0) == "5 bytes of 5 bytes · 1 kB/s"


def test_the_rate_of_a_transfer_counts_what_comes_alone() -> None:
    clock = TransferClock(there=1000)
    for second, done in ((0.0, 0), (0.1, 800), (0.2, 1000)):  # taken up from the disk
        clock.add(second, done)
    assert clock.rate is None
    for tenth in range(1, 100):
        clock.add(0.2 + tenth / 10, 1000 + 50 * tenth)
        assert clock.rate is None or clock.rate == pytest.approx(500)
    assert clock.rate is not None
    clock.add(20.0, 1500)  # a file began anew
    assert clock.rate is None
