"""Pipeline of the embedded model: class-conditional diffusion in pixel space, readable beside the papers.

| code | paper symbol |
| --- | --- |
| `x` | x_t, the noisy state |
| `prediction` | v̂, the predicted velocity a·n − s·x0 (Salimans and Ho 2022, appendix D) |
| `guidance_scale` | w of v̂_∅ + w·(v̂_c − v̂_∅), ∅: null label (Ho and Salimans 2022, equation 6, diffusers' counting) |
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, SchedulerMixin, UNet2DModel
from diffusers.utils import BaseOutput
from PIL import Image
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.pixel_unet import PixelUNet2DModel
from sculptor_app.diffusion.samplers.levels import level_of

OUTPUT_TYPES = ("np", "pil", "pt")

Labels = int | None | Sequence[int | None]
"""One label for all pictures of a run, or one for each; None is the null label: unconditional."""

Network = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From states (B, 3, H, W) and a timestep to v̂ of the same shape."""

Generators = torch.Generator | list[torch.Generator] | None
"""Where a run's noise comes from: one generator for all of its pictures, or one for each."""


@dataclass
class SculptorPipelineOutput(BaseOutput):  # type: ignore[misc]  # diffusers ships no types
    """Pictures that a run returns."""

    # In [0, 1], as `output_type` said: (B, H, W, 3) float32 numpy, (B, 3, H, W) float32 tensor, or PIL pictures.
    images: np.ndarray | torch.Tensor | list[Image.Image]


class SculptorPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Class-conditional diffusion in pixel space with classifier-free guidance on a patchified U-Net.

    Args:
        unet: Predicts v from (B, 3·patch², size/patch, size/patch); takes the label embedding as its class label.
        scheduler: Any diffusers scheduler made `from_config` of the model's own.
        patch_size: Edge in pixels of the patches that the U-Net is given; 1 for one that makes patches of its own.
        form_names, material_names: English ids, in the order of their labels.
    """

    model_cpu_offload_seq = "label_embedding->unet"

    def __init__(
        self,
        unet: UNet2DModel | PixelUNet2DModel,
        label_embedding: LabelEmbedding,
        scheduler: SchedulerMixin,
        patch_size: int = 4,
        form_names: tuple[str, ...] | list[str] = (),
        material_names: tuple[str, ...] | list[str] = (),
    ) -> None:
        super().__init__()
        self.register_modules(unet=unet, label_embedding=label_embedding, scheduler=scheduler)
        self.register_to_config(patch_size=patch_size, form_names=list(form_names), material_names=list(material_names))
        self.set_progress_bar_config(disable=True)

    @property
    def picture_size(self) -> int:
        """Edge in pixels of the pictures that the model was trained on."""
        return int(self.unet.config.sample_size * self.config.patch_size)

    @property
    def patch(self) -> int:
        """Edge in pixels of the patch that becomes one position of the U-Net."""
        return int(self.config.patch_size * getattr(self.unet.config, "patch_size", 1))

    @property
    def grain(self) -> int:
        """A picture's edge in pixels is a multiple of it."""
        return int(self.patch * 2 ** (len(self.unet.config.block_out_channels) - 1))

    @torch.no_grad()
    def __call__(
        self,
        form: Labels = None,
        material: Labels = None,
        num_inference_steps: int = 50,
        guidance_scale: float = 2.0,
        generator: Generators = None,
        size: int | None = None,
        batch_size: int = 1,
        output_type: str = "np",
        eta: float = 0.0,
        noise: torch.Tensor | None = None,
        picture: torch.Tensor | None = None,
        first_step: int = 1,
    ) -> SculptorPipelineOutput:
        """Sample pictures.

        Args:
            form, material: Label, or None for the null label, or one such for each picture.
            num_inference_steps: Reverse steps, 1 to the scheduler's num_train_timesteps.
            guidance_scale: 1 is the plain model; above 1 the label counts for more; 0 ignores it.
            generator: Source of all noise, on the CPU the same for every device; or one for each picture.
            size: Edge in pixels; None is the size that the model was trained on.
            output_type: "np", "pil" or "pt".
            eta: Share of fresh noise, 0 to 1, for schedulers that know it (DDIM).
            noise: (B, 3, size, size) of unit variance to start from; None draws it from the generator.
            picture: (B, 3, size, size) in [-1, 1] to begin with (img2img), noised as in SDEdit (Meng et al. 2022).
            first_step: 1 to num_inference_steps; the run starts from the picture at the level of state first_step - 1.

        Raises:
            ValueError: An argument is outside of what is allowed; the message names both.
        """
        size = self.picture_size if size is None else size
        self._check_arguments(num_inference_steps, size, batch_size, output_type)
        _check_start(noise, picture, first_step, num_inference_steps, (batch_size, 3, size, size))
        predict = self.network(form, material, guidance_scale, batch_size)
        extra = self._extra_step_arguments(generator, eta)
        self.scheduler.set_timesteps(num_inference_steps, device=self._execution_device)
        noise = _drawn((batch_size, 3, size, size), generator) if noise is None else noise
        first_call = (first_step - 1) * self.scheduler.order  # solvers of second order have two calls for each step
        x = self._starting_state(noise, picture, first_call)  # x_T
        with self.progress_bar(total=num_inference_steps - first_step + 1) as progress:
            for t in self.scheduler.timesteps[first_call:]:
                seen = self.scheduler.scale_model_input(x, t)
                x = self.scheduler.step(predict(seen, t), t, x, **extra, return_dict=False)[0]  # x_{t-1}
                progress.update()
        self.maybe_free_model_hooks()
        return SculptorPipelineOutput(images=_to_output(x, output_type))

    def network(self, form: Labels, material: Labels, guidance_scale: float, batch_size: int = 1) -> Network:
        """The network with labels and guidance in it, as a sampler calls it; `ValueError` if a label is not known."""
        forms = _for_each("form", form, batch_size, self.label_embedding.null_form)
        materials = _for_each("material", material, batch_size, self.label_embedding.null_material)
        guided = guidance_scale != 1.0 and any(label is not None for label in (*forms, *materials))
        labels = self._embed_labels(forms, materials, guided)  # (B or 2B, width)
        return lambda x, t: self._predict(x, t, labels, guidance_scale)

    def _predict(self, x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor, guidance_scale: float) -> torch.Tensor:
        """v̂ of (B, 3, H, W); for guidance both, [unconditional, conditional], go through the U-Net in one call."""
        guided = len(labels) == 2 * len(x)
        patches = pixel_unshuffle(x, self.config.patch_size)  # (B, 3·p², H/p, W/p)
        patches = torch.cat([patches, patches]) if guided else patches  # (2B, ...)
        v = pixel_shuffle(self.unet(patches, t, class_labels=labels).sample, self.config.patch_size)
        if not guided:
            return v
        unconditional, conditional = v.chunk(2)
        return unconditional + guidance_scale * (conditional - unconditional)

    def _starting_state(self, noise: torch.Tensor, picture: torch.Tensor | None, first_call: int) -> torch.Tensor:
        """Pure noise, or the picture at the level of a later call of the scheduler; (B, 3, H, W)."""
        noise = noise.to(self._execution_device, self.unet.dtype)
        if picture is None:
            scaled: torch.Tensor = noise * self.scheduler.init_noise_sigma
            return scaled
        level = level_of(self.scheduler, first_call)
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(first_call)
        return level.signal * picture.to(noise) + level.noise * noise

    def _embed_labels(self, forms: Sequence[int | None], materials: Sequence[int | None], guided: bool) -> torch.Tensor:
        """Label vectors (B, width), or for guidance (2B, width) with the null labels first."""
        table = self.label_embedding
        known = [table.null_form if form is None else form for form in forms]
        made_of = [table.null_material if material is None else material for material in materials]
        known = [table.null_form] * (len(forms) if guided else 0) + known
        made_of = [table.null_material] * (len(forms) if guided else 0) + made_of
        device = self._execution_device
        embedded: torch.Tensor = table(torch.tensor(known, device=device), torch.tensor(made_of, device=device))
        return embedded

    def _extra_step_arguments(self, generator: Generators, eta: float) -> dict[str, Any]:
        """`generator` and `eta`, as far as this scheduler's `step` takes them."""
        accepted = inspect.signature(self.scheduler.step).parameters
        offered = {"generator": generator, "eta": eta}
        return {name: value for name, value in offered.items() if name in accepted}

    def _check_arguments(self, steps: int, size: int, batch_size: int, output_type: str) -> None:
        most_steps = self.scheduler.config.num_train_timesteps
        if not 1 <= steps <= most_steps:
            raise ValueError(f"num_inference_steps is {steps}; allowed is 1 to {most_steps}")
        if size < self.grain or size % self.grain:
            raise ValueError(f"size is {size}; it must be a positive multiple of {self.grain}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type is {output_type!r}; allowed is one of {', '.join(OUTPUT_TYPES)}")

    def save_pretrained(self, save_directory: str | Path, dtype: torch.dtype = torch.float16, **kwargs: Any) -> None:
        """Write a diffusers folder: model_index.json, unet/, label_embedding/, scheduler/, as safetensors.

        Args:
            dtype: Weights are rounded to it; the pipeline itself keeps its own.
        """
        rounded = SculptorPipeline(
            nn.Module.to(copy.deepcopy(self.unet), dtype),  # diffusers' own `to` warns of layers that neither has
            nn.Module.to(copy.deepcopy(self.label_embedding), dtype),
            self.scheduler,
            self.config.patch_size,
            self.config.form_names,
            self.config.material_names,
        )
        super(SculptorPipeline, rounded).save_pretrained(save_directory, safe_serialization=True, **kwargs)


def makes_sculptures(pipeline: Any) -> bool:
    """Whether a pipeline makes the forms and materials that are rendered here: its data and classes are known."""
    known = tuple(tuple(pipeline.config.get(each, ())) for each in ("form_names", "material_names"))
    return known == (FORMS, MATERIALS)


def _for_each(what: str, label: Labels, batch_size: int, count: int) -> list[int | None]:
    """The label of each picture; a ValueError where there are too many or too few, or one is not known."""
    labels = list(label) if isinstance(label, Sequence) else [label] * batch_size
    if len(labels) != batch_size:
        raise ValueError(f"there are {len(labels)} {what}s for {batch_size} pictures; give one for each")
    for each in labels:
        if each is not None and not 0 <= each < count:
            raise ValueError(f"{what} is {each}; this model knows 0 to {count - 1}, or None for the null label")
    return labels


def _check_start(
    noise: torch.Tensor | None, picture: torch.Tensor | None, first_step: int, steps: int, shape: tuple[int, ...]
) -> None:
    for what, given in (("noise", noise), ("picture", picture)):
        if given is not None and tuple(given.shape) != shape:
            raise ValueError(f"the {what} has the shape {tuple(given.shape)}; this run needs {shape}")
    if not 1 <= first_step <= steps:
        raise ValueError(f"first_step is {first_step}; allowed is 1 to {steps}")
    if first_step > 1 and picture is None:
        raise ValueError("a run that starts later than at step 1 needs a picture to start from")


def _drawn(shape: tuple[int, ...], generator: Generators) -> torch.Tensor:
    """Noise of unit variance, on the generator's device; on the CPU without one. Each picture's comes from its own."""
    if isinstance(generator, list):
        return torch.cat([_drawn((1, *shape[1:]), each) for each in generator])
    device = generator.device if generator is not None else torch.device("cpu")
    return torch.randn(shape, generator=generator, device=device, dtype=torch.float32)


def _to_output(x: torch.Tensor, output_type: str) -> np.ndarray | torch.Tensor | list[Image.Image]:
    """Pictures of (B, 3, H, W) in [-1, 1], in the form asked for, in [0, 1]."""
    images = (x.float() / 2 + 0.5).clamp(0, 1)
    if output_type == "pt":
        return images
    array: np.ndarray = images.permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, 3)
    if output_type == "np":
        return array
    return [Image.fromarray((picture * 255).round().astype(np.uint8)) for picture in array]
