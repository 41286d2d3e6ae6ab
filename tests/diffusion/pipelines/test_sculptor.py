"""The embedded model's pipeline: every sampler runs, a seed is a picture, folders return, broken ones are refused."""

from pathlib import Path

import diffusers
import numpy as np
import pytest
import safetensors.torch
import torch

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.trajectory.step import Step
from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.observe.observer import Observer, observed
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.samplers.levels import Call, plan_levels

SAMPLERS = (
    "DDPMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "UniPCMultistepScheduler",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tiny_model: Path) -> Path:
    return tiny_model


@pytest.fixture
def pipeline(folder: Path) -> SculptorPipeline:
    return load_sculptor(folder)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sculpt(pipeline: SculptorPipeline, **changes: object) -> np.ndarray:
    arguments = {"form": 1, "material": 2, "num_inference_steps": 3, "guidance_scale": 2.0, "generator": seeded()}
    return pipeline(**(arguments | changes)).images


@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_ends_in_a_picture(pipeline: SculptorPipeline, name: str, steps: int, guidance_scale: float):
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    images = sculpt(pipeline, num_inference_steps=steps, guidance_scale=guidance_scale)
    assert images.shape == (1, 16, 16, 3)
    assert images.dtype == np.float32
    assert np.isfinite(images).all()
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_can_plan_a_thousand_steps(pipeline: SculptorPipeline, name: str):
    scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(1000)
    assert len(scheduler.timesteps.unique()) >= 999
    assert scheduler.timesteps[0] >= 998


@pytest.mark.parametrize("name", ["DDIMScheduler", "DDPMScheduler", "EulerAncestralDiscreteScheduler"])
def test_same_seed_same_picture_and_another_seed_another(pipeline: SculptorPipeline, name: str):
    """Fresh noise of the sampler's own comes from the generator, too."""
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    assert np.array_equal(sculpt(pipeline), sculpt(pipeline))
    assert not np.array_equal(sculpt(pipeline), sculpt(pipeline, generator=seeded(4)))


def test_guidance_one_is_the_plain_model(pipeline: SculptorPipeline):
    """One DDIM step of the loop without guidance, written out by hand."""
    with torch.no_grad():
        x = torch.randn((1, 3, 16, 16), generator=seeded())
        label = pipeline.label_embedding(torch.tensor([1]), torch.tensor([2]))
        scheduler = pipeline.scheduler
        scheduler.set_timesteps(1)
        t = scheduler.timesteps[0]
        patches = torch.nn.functional.pixel_unshuffle(x, 4)
        v = torch.nn.functional.pixel_shuffle(pipeline.unet(patches, t, class_labels=label).sample, 4)
        expected = scheduler.step(v, t, x).prev_sample
    images = sculpt(pipeline, num_inference_steps=1, guidance_scale=1.0, output_type="pt")
    torch.testing.assert_close(images, (expected / 2 + 0.5).clamp(0, 1), rtol=0, atol=0)


def test_guidance_is_linear_in_its_scale(pipeline: SculptorPipeline):
    """One step from pure noise: x0-hat = a·x - s·v is linear in v, so is the picture in the scale."""
    pipeline.scheduler.register_to_config(clip_sample=False)
    with torch.no_grad():
        plain, twice, thrice = (
            sculpt(pipeline, num_inference_steps=1, guidance_scale=g, output_type="pt") for g in (1.0, 1.05, 1.10)
        )
    inside = (plain > 0.01) & (plain < 0.99) & (thrice > 0.01) & (thrice < 0.99)
    assert inside.any()
    torch.testing.assert_close((thrice - plain)[inside], 2 * (twice - plain)[inside], rtol=0, atol=1e-5)


def test_guidance_of_nothing_changes_nothing(pipeline: SculptorPipeline):
    plain = sculpt(pipeline, form=None, material=None, guidance_scale=1.0)
    assert np.array_equal(plain, sculpt(pipeline, form=None, material=None, guidance_scale=5.0))


def test_one_network_call_per_step_with_guidance(pipeline: SculptorPipeline):
    sizes: list[int] = []
    handle = pipeline.unet.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    sculpt(pipeline, num_inference_steps=4, batch_size=3)
    handle.remove()
    assert sizes == [6, 6, 6, 6]


@pytest.mark.parametrize(("output_type", "shape"), [("np", (2, 16, 16, 3)), ("pt", (2, 3, 16, 16))])
def test_outputs_as_arrays(pipeline: SculptorPipeline, output_type: str, shape: tuple[int, ...]):
    assert tuple(sculpt(pipeline, output_type=output_type, batch_size=2).shape) == shape


def test_output_as_pil_rounds(pipeline: SculptorPipeline):
    picture = sculpt(pipeline, output_type="pil")[0]
    array = np.asarray(picture).astype(int)
    assert np.array_equal(array, (sculpt(pipeline)[0] * 255).round().astype(int))


def test_another_size(pipeline: SculptorPipeline):
    assert sculpt(pipeline, size=32).shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"form": 8}, {"form": -1}, {"material": 6}, {"num_inference_steps": 0}, {"num_inference_steps": 1001},
        {"size": 20}, {"size": 0}, {"batch_size": 0}, {"output_type": "latent"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_arguments_are_named(pipeline: SculptorPipeline, wrong: dict[str, object]):
    value = str(next(iter(wrong.values())))
    with pytest.raises(ValueError, match=value):
        sculpt(pipeline, **wrong)


def test_saved_and_loaded_again_is_bit_identical(pipeline: SculptorPipeline, tmp_path: Path):
    pipeline.save_pretrained(tmp_path / "copy")
    again = load_sculptor(tmp_path / "copy")
    assert np.array_equal(sculpt(again), sculpt(pipeline))
    assert again.config.form_names == pipeline.config.form_names
    with safetensors.safe_open(tmp_path / "copy" / "unet" / "diffusion_pytorch_model.safetensors", "pt") as file:
        assert file.get_tensor("conv_in.weight").dtype == torch.float16
    assert pipeline.unet.dtype == torch.float32


def test_weights_are_aligned(pipeline: SculptorPipeline):
    """Misaligned weights (mapped files) change results in the sixth digit."""
    assert all(parameter.data_ptr() % 16 == 0 for parameter in pipeline.unet.parameters())


def test_an_expected_phase_of_the_cosine_schedule(pipeline: SculptorPipeline):
    """Evenly spaced timesteps of 50 begin at 999 and end at 0: the phases' borders rest on that."""
    pipeline.scheduler.set_timesteps(50)
    assert (int(pipeline.scheduler.timesteps[0]), int(pipeline.scheduler.timesteps[-1])) == (999, 0)


def test_a_network_whose_time_is_wider_than_its_first_level_says_can_be_saved_and_loaded(tmp_path: Path):
    from sculptor_app.training.network import new_pipeline

    made = new_pipeline(("a", "b"), ("c",), 32, 2, (32, 64))
    assert made.label_embedding.config.width == 4 * 64
    made.save_pretrained(tmp_path)
    again = load_sculptor(tmp_path)
    assert again(form=1, material=0, num_inference_steps=2).images.shape == (1, 32, 32, 3)
    table = tmp_path / "label_embedding"
    LabelEmbedding(2, 1, 128).to(torch.float16).save_pretrained(table)
    with pytest.raises(ModelFolderError, match="belong to different models"):
        load_sculptor(tmp_path)


# Starting from something else than fresh noise, and a label for each picture ------------------------------------------


@pytest.mark.parametrize("name", SAMPLERS)
def test_given_noise_is_what_the_generator_would_have_drawn(pipeline: SculptorPipeline, name: str):
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    generator = seeded()
    noise = torch.randn((1, 3, 16, 16), generator=generator)
    assert np.array_equal(sculpt(pipeline, noise=noise, generator=generator), sculpt(pipeline))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_picture_is_noised_to_the_level_that_the_step_starts_from(pipeline: SculptorPipeline, name: str):
    """x = a·picture + s·noise with the levels of the plan; what the network sees first is that state."""
    pipeline.scheduler = getattr(diffusers, name).from_config(pipeline.scheduler.config)
    picture, noise = torch.rand((1, 3, 16, 16), generator=seeded(1)) * 2 - 1, torch.randn((1, 3, 16, 16))
    starts: list[np.ndarray] = []
    plans: list[tuple[Call, ...]] = []

    def note(frame: np.ndarray, plan: tuple[Call, ...]) -> None:
        starts.append(frame)
        plans.append(plan)

    taken: list[Step] = []
    with observed(pipeline.scheduler, Observer(note, taken.append)):
        pipeline(0, 0, num_inference_steps=8, noise=noise, picture=picture, first_step=6, generator=seeded())
    assert [step.number for step in taken if step.completes] == [1, 2, 3]  # steps 6, 7 and 8 of 8
    pipeline.scheduler.set_timesteps(8)
    level = plan_levels(pipeline.scheduler)[5]
    assert plans[0][0].before == level
    expected = level.signal * picture + level.noise * noise
    np.testing.assert_allclose(starts[0], expected[0].numpy(), rtol=1e-5, atol=1e-5)


def test_each_picture_of_a_batch_follows_its_own_label(pipeline: SculptorPipeline):
    noise = torch.randn((1, 3, 16, 16), generator=seeded(5)).expand(3, -1, -1, -1)
    both = sculpt(pipeline, form=[0, None, 5], material=[1, 2, None], noise=noise, batch_size=3)
    for i, (form, material) in enumerate([(0, 1), (None, 2), (5, None)]):
        alone = sculpt(pipeline, form=form, material=material, noise=noise[:1])
        np.testing.assert_allclose(both[i], alone[0], atol=2e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"form": [1, 2]}, "2 forms for 1 pictures"),
        ({"form": [1, 99], "batch_size": 2}, "form is 99"),
        ({"noise": torch.zeros(1, 3, 8, 8)}, r"noise has the shape \(1, 3, 8, 8\)"),
        ({"picture": torch.zeros(2, 3, 16, 16)}, "picture has the shape"),
        ({"first_step": 2}, "needs a picture"),
        ({"first_step": 4, "picture": torch.zeros(1, 3, 16, 16)}, "first_step is 4; allowed is 1 to 3"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(pipeline: SculptorPipeline, changes: dict, words: str):
    with pytest.raises(ValueError, match=words):
        sculpt(pipeline, **changes)
