"""The embedded model's network: pixels in, pixels out, and no seam between patches."""

from pathlib import Path

import pytest
import torch

from sculptor_app.cli import main
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.models.loader import load_pipeline
from sculptor_app.diffusion.pixel_unet import FINISHES, PixelUNet2DModel
from sculptor_app.training.network import TrainableModule, blueprint_of, build, new_pipeline

pytestmark = pytest.mark.usefixtures("no_trials")


def network(finish: str, patch: int = 4) -> PixelUNet2DModel:
    torch.manual_seed(3)
    return PixelUNet2DModel(32, patch, (32, 64), 1, 128, finish).eval()


@pytest.mark.parametrize("finish", FINISHES)
def test_pixels_go_in_and_come_out(finish: str) -> None:
    state, labels = torch.randn(2, 3, 32, 48), torch.randn(2, 128)
    with torch.no_grad():
        whole = network(finish)(state, torch.tensor([5, 900]), class_labels=labels).sample
        single = network(finish)(state[1:], 900, class_labels=labels[1:], return_dict=False)[0]
    assert whole.shape == state.shape
    assert torch.allclose(whole[1:], single, atol=1e-5)


def test_the_overlap_begins_as_plain_patches() -> None:
    from torch.nn.functional import pixel_shuffle

    finish = network("overlap").to_pixels
    said = torch.randn(1, 48, 6, 5)
    with torch.no_grad():
        assert (finish(said, said, torch.zeros(1, 128)) - pixel_shuffle(said, 4)).abs().mean() < 0.25


@pytest.mark.parametrize("finish", FINISHES)
def test_a_pixel_depends_on_what_the_position_beside_its_own_says(finish: str) -> None:
    """What a lattice comes from: with plain patches, the first row of one would know nothing of its neighbour."""
    part = network(finish).to_pixels
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    channels = 48 if finish == "overlap" else 128
    said, state, embedding = torch.zeros(1, channels, 4, 4), torch.zeros(1, 3, 16, 16), torch.zeros(1, 128)
    with torch.no_grad():
        before = part(said, state, embedding)
        said[:, :, 1, 1] = 1.0
        changed = (part(said, state, embedding) - before).abs().sum(dim=(0, 1)) > 1e-6
    assert changed[4:8, 4:8].all()
    assert changed[3, 4:8].all()  # the row above the patch
    assert changed[4:8, 8].all()  # the column beside it


def test_what_the_head_does_depends_on_time_and_labels() -> None:
    whole = network("head")
    for parameter in whole.to_pixels.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    said, state = torch.randn(1, 128, 4, 4), torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        asked = ((5, None), (900, None), (5, torch.ones(1, 128)))
        embeddings = [whole._embedding(state, *each) for each in asked]
        first, later, labelled = (whole.to_pixels(said, state, each) for each in embeddings)
        from_unet = whole.unet.time_embedding(whole.unet.time_proj(torch.tensor([5])))
    assert torch.equal(embeddings[0], from_unet)
    assert (first - later).abs().mean() > 0.01
    assert (first - labelled).abs().mean() > 0.01


def test_an_unknown_finish_is_refused() -> None:
    with pytest.raises(ValueError, match="finish is 'polish'; allowed is one of head, overlap"):
        network("polish")


@pytest.mark.parametrize("finish", FINISHES)
def test_a_model_with_it_is_saved_opened_and_runs(finish: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = new_pipeline(["bust", "vase"], ["marble"], 32, 4, (32, 64), finish=finish)
    for parameter in made.unet.to_pixels.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    assert (made.picture_size, made.patch, made.grain) == (32, 4, 8)
    made.save_pretrained(tmp_path / "model", dtype=torch.float32)
    opened = load_sculptor(tmp_path / "model")
    run = {"form": 1, "num_inference_steps": 3, "output_type": "pt"}
    pictures = [each(**run, generator=torch.Generator().manual_seed(7)).images for each in (made, opened)]
    assert pictures[0].shape == (1, 3, 32, 32)
    assert torch.equal(*pictures)
    again = build(blueprint_of(opened))
    assert [p.shape for p in again.unet.parameters()] == [p.shape for p in made.unet.parameters()]


@pytest.mark.parametrize("finish", FINISHES)
def test_a_model_with_it_opens_as_any_other(finish: str, tmp_path: Path) -> None:
    """By the door that inspects first: it lets in no class that it does not know."""
    new_pipeline(["bust"], ["marble"], 32, 4, (32, 64), finish=finish).save_pretrained(tmp_path / "model")
    assert load_pipeline(tmp_path / "model", "cpu").picture_size == 32
    assert main(["check-model", str(tmp_path / "model")]) == 0


@pytest.mark.parametrize("finish", FINISHES)
def test_every_weight_learns(finish: str) -> None:
    made = new_pipeline(["bust"], ["marble"], 16, 4, (32, 64), finish=finish)
    learner = TrainableModule(made).train().requires_grad_(True)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    none = torch.tensor([0, 0])
    for _ in range(3):  # the last convolution begins at zero, and those before it learn one step later
        optimizer.zero_grad()
        learner(torch.randn(2, 3, 16, 16), torch.tensor([10, 700]), none, none).square().mean().backward()
        optimizer.step()
    still = [name for name, p in learner.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not [name for name in still if "label_embedding" not in name and "class_embedding" not in name]
