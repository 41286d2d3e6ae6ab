"""Beginning with another model's weights."""

from pathlib import Path

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.errors import BadInput
from sculptor_app.training.network import Float32Attention, finish_of, patches_of, start_from
from tests.training.tiny import tiny_pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_pipeline().save_pretrained(folder)
    return folder


def picture(pipeline: SculptorPipeline, **labels: int) -> torch.Tensor:
    return pipeline(
        num_inference_steps=3, generator=torch.Generator().manual_seed(1), output_type="pt", **labels
    ).images


def test_the_same_labels_begin_where_the_model_stands(model: Path):
    begun = start_from(model, ["a", "b"], ["x", "y", "z"], None)
    assert torch.equal(picture(begun, form=1), picture(load_sculptor(model), form=1))


def test_without_labels_a_run_begins_with_what_the_model_makes_of_free_ones(model: Path):
    begun = start_from(model, (), (), None)
    assert (begun.label_embedding.null_form, begun.label_embedding.null_material) == (0, 0)
    assert torch.equal(picture(begun), picture(load_sculptor(model)))


def test_another_size_is_learned_with_the_same_weights(model: Path, tmp_path: Path):
    begun = start_from(model, (), (), 32)
    assert begun.picture_size == 32
    begun.save_pretrained(tmp_path / "larger")
    assert load_sculptor(tmp_path / "larger").picture_size == 32


@pytest.mark.parametrize("finish", ["none", "head", "overlap"])
def test_on_wider_patches_a_run_begins_with_what_the_model_makes_of_smaller_pictures(model: Path, finish: str):
    before = load_sculptor(model)
    assert before.patch == 2
    begun = start_from(model, ["a", "b"], ["x", "y", "z"], 2 * before.picture_size, 4, finish)
    assert (begun.picture_size, begun.patch) == (2 * before.picture_size, 4)
    inner = patches_of(begun.unet)
    ends = ("conv_in", "conv_out")
    for name, weights in before.unet.state_dict().items():
        assert name.startswith(ends) or torch.equal(inner.state_dict()[name], weights), name
    small = torch.randn(1, 3, 8, 8)
    doubled = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    seen = inner.conv_in(pixel_unshuffle(doubled, 4)) - inner.conv_in.bias[:, None, None]
    wanted = before.unet.conv_in(pixel_unshuffle(small, 2)) - before.unet.conv_in.bias[:, None, None]
    torch.testing.assert_close(seen, 2**0.5 * wanted, atol=1e-5, rtol=1e-5)
    features = torch.randn(1, 32, 4, 4)
    said = pixel_shuffle(inner.conv_out(features)[:, :48], 4)
    wanted = pixel_shuffle(before.unet.conv_out(features), 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(said, wanted)


def test_with_another_finish_a_run_begins_with_the_same_pictures(model: Path):
    begun = start_from(model, ["a", "b"], ["x", "y", "z"], None, finish="head")
    assert (finish_of(begun), begun.picture_size) == ("head", load_sculptor(model).picture_size)
    torch.testing.assert_close(picture(begun, form=1), picture(load_sculptor(model), form=1))


def test_patches_that_do_not_go_into_the_wanted_ones_are_refused(model: Path):
    with pytest.raises(BadInput, match="works on 2×2 patches, which do not go into 3×3"):
        start_from(model, ["a", "b"], ["x", "y", "z"], 24, 3)


def test_other_labels_are_refused(model: Path):
    with pytest.raises(BadInput, match="does not know the forms and materials"):
        start_from(model, ["a", "c"], ["x", "y", "z"], None)


@pytest.mark.parametrize("change", [{"prediction_type": "epsilon"}, {"beta_schedule": "linear"}])
def test_another_noise_schedule_is_refused(change: dict[str, str], tmp_path: Path):
    pipeline = tiny_pipeline()
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **change)
    pipeline.save_pretrained(tmp_path / "other")
    with pytest.raises(BadInput, match="another noise schedule, or says something else than v"):
        start_from(tmp_path / "other", (), (), None)


def test_no_model_is_named(tmp_path: Path):
    with pytest.raises(ModelFolderError, match="is missing"):
        start_from(tmp_path, (), (), None)


def layer(sharpness: float, norm: bool) -> Attention:
    torch.manual_seed(0)
    made = Attention(64, heads=2, dim_head=32, bias=True, residual_connection=True, rescale_output_factor=1.5,
                     norm_num_groups=8 if norm else None)  # fmt: skip
    with torch.no_grad():
        made.to_q.weight.mul_(sharpness)
    return made


@pytest.mark.parametrize("norm", [True, False])
def test_the_arithmetic_is_diffusers_own(norm: bool) -> None:
    attention, x = layer(1.0, norm), torch.randn(2, 64, 4, 4, generator=torch.Generator().manual_seed(1))
    attention.set_processor(AttnProcessor())
    wanted = attention(x)
    attention.set_processor(Float32Attention())
    torch.testing.assert_close(attention(x), wanted)


def query_gradient(attention: Attention, x: torch.Tensor, half: bool) -> torch.Tensor:
    attention.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        attention(x).float().square().mean().backward()
    return attention.to_q.weight.grad.clone()


def test_a_saturated_attention_has_no_gradient_of_its_own_making() -> None:
    """Where one position takes all, the scores' gradient is next to nothing, also in bfloat16."""
    attention, x = layer(4000.0, False), 3 * torch.randn(8, 64, 4, 4, generator=torch.Generator().manual_seed(1))
    attention.set_processor(Float32Attention())
    exact = query_gradient(attention, x, half=False).norm()
    steady = query_gradient(attention, x, half=True).norm()
    attention.set_processor(AttnProcessor())
    rounded = query_gradient(attention, x, half=True).norm()
    assert exact < 1e-8
    assert steady < 1e-5
    assert rounded > 1e-2  # what this is for
