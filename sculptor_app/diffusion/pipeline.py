"""The pipeline of the embedded model: pixels in, sculptures out, readable beside the papers.

| code | paper symbol |
| --- | --- |
| `x` | x_t, the noisy state |
| `prediction` | v̂, the predicted velocity a·n − s·x0 (Salimans and Ho 2022, appendix D) |
| `guidance_scale` | w of v̂_free + w·(v̂_label − v̂_free) (Ho and Salimans 2022, equation 6, in diffusers' counting) |
"""

from __future__ import annotations

import copy
import inspect
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

from sculptor_app.diffusion.label_embedding import LabelEmbedding

OUTPUT_TYPES = ("np", "pil", "pt")


@dataclass
class SculptorPipelineOutput(BaseOutput):  # type: ignore[misc]  # diffusers ships no types
    """What a run returns.

    Attributes:
        images: (B, H, W, 3) float32 numpy in [0, 1], or (B, 3, H, W) float32 tensor in [0, 1], or a list of PIL
            pictures, as `output_type` said.
    """

    images: np.ndarray | torch.Tensor | list[Image.Image]


class SculptorPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Class-conditional diffusion in pixel space with classifier-free guidance on a patchified U-Net.

    Args:
        unet: Predicts v from (B, 3·patch², size/patch, size/patch); takes the label embedding as its class label.
        label_embedding: Turns form and material into a vector of the U-Net's time-embedding width.
        scheduler: Any diffusers scheduler made `from_config` of the model's own.
        patch_size: Edge in pixels of the patch that becomes one position of the U-Net's input.
        form_names: English ids of the forms, in the order of their labels.
        material_names: English ids of the materials, in the order of their labels.
    """

    model_cpu_offload_seq = "label_embedding->unet"

    def __init__(
        self,
        unet: UNet2DModel,
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

    @torch.no_grad()
    def __call__(
        self,
        form: int | None = None,
        material: int | None = None,
        num_inference_steps: int = 50,
        guidance_scale: float = 2.0,
        generator: torch.Generator | None = None,
        size: int | None = None,
        batch_size: int = 1,
        output_type: str = "np",
        eta: float = 0.0,
    ) -> SculptorPipelineOutput:
        """Sculpt pictures out of noise.

        Args:
            form: Label of the form, or None to leave it free.
            material: Label of the material, or None to leave it free.
            num_inference_steps: Reverse steps, 1 to the scheduler's num_train_timesteps.
            guidance_scale: 1 is the plain model; above 1 the label counts for more; 0 ignores it.
            generator: Source of the first noise and of any noise of the sampler's own. A generator on the CPU makes a
                seed start from the same noise on every device.
            size: Edge in pixels; None is the size that the model was trained on.
            batch_size: Pictures in this run.
            output_type: "np", "pil" or "pt".
            eta: Share of fresh noise, 0 to 1, for schedulers that know it (DDIM).

        Raises:
            ValueError: An argument is outside of what is allowed; the message names both.
        """
        size = self.picture_size if size is None else size
        self._check_arguments(form, material, num_inference_steps, size, batch_size, output_type)
        guided = guidance_scale != 1.0 and not (form is None and material is None)
        labels = self._embed_labels(form, material, batch_size, guided)  # (B or 2B, width)
        extra = self._extra_step_arguments(generator, eta)

        self.scheduler.set_timesteps(num_inference_steps, device=self._execution_device)
        noise_device = generator.device if generator is not None else torch.device("cpu")
        noise = torch.randn((batch_size, 3, size, size), generator=generator, device=noise_device)
        x = noise.to(self._execution_device, self.unet.dtype) * self.scheduler.init_noise_sigma  # x_T

        with self.progress_bar(total=num_inference_steps) as progress:
            for t in self.scheduler.timesteps:
                seen = self.scheduler.scale_model_input(x, t)
                prediction = self._predict(seen, t, labels, guidance_scale)
                x = self.scheduler.step(prediction, t, x, **extra, return_dict=False)[0]  # x_{t-1}
                progress.update()

        self.maybe_free_model_hooks()
        return SculptorPipelineOutput(images=_to_output(x, output_type))

    def _predict(self, x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor, guidance_scale: float) -> torch.Tensor:
        """v̂ of (B, 3, H, W); both halves of the guidance [free, labelled] go through the U-Net in one call."""
        guided = len(labels) == 2 * len(x)
        patches = pixel_unshuffle(x, self.config.patch_size)  # (B, 3·p², H/p, W/p)
        patches = torch.cat([patches, patches]) if guided else patches  # (2B, ...)
        v = pixel_shuffle(self.unet(patches, t, class_labels=labels).sample, self.config.patch_size)
        if not guided:
            return v
        free, labelled = v.chunk(2)
        return free + guidance_scale * (labelled - free)

    def _embed_labels(self, form: int | None, material: int | None, batch_size: int, guided: bool) -> torch.Tensor:
        """Label vectors (B, width), or for guidance (2B, width) with the free ones first."""
        table = self.label_embedding
        form = table.free_form if form is None else form
        material = table.free_material if material is None else material
        forms = [table.free_form] * (batch_size if guided else 0) + [form] * batch_size
        materials = [table.free_material] * (batch_size if guided else 0) + [material] * batch_size
        device = self._execution_device
        embedded: torch.Tensor = table(torch.tensor(forms, device=device), torch.tensor(materials, device=device))
        return embedded

    def _extra_step_arguments(self, generator: torch.Generator | None, eta: float) -> dict[str, Any]:
        """`generator` and `eta`, as far as this scheduler's `step` takes them."""
        accepted = inspect.signature(self.scheduler.step).parameters
        offered = {"generator": generator, "eta": eta}
        return {name: value for name, value in offered.items() if name in accepted}

    def _check_arguments(
        self, form: int | None, material: int | None, steps: int, size: int, batch_size: int, output_type: str
    ) -> None:
        table = self.label_embedding
        most_steps = self.scheduler.config.num_train_timesteps
        grain = self.config.patch_size * 2 ** (len(self.unet.config.block_out_channels) - 1)
        if form is not None and not 0 <= form < table.free_form:
            raise ValueError(f"form is {form}; this model knows 0 to {table.free_form - 1}, or None to leave it free")
        if material is not None and not 0 <= material < table.free_material:
            raise ValueError(
                f"material is {material}; this model knows 0 to {table.free_material - 1}, or None to leave it free"
            )
        if not 1 <= steps <= most_steps:
            raise ValueError(f"num_inference_steps is {steps}; allowed is 1 to {most_steps}")
        if size < grain or size % grain:
            raise ValueError(f"size is {size}; it must be a positive multiple of {grain}")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type is {output_type!r}; allowed is one of {', '.join(OUTPUT_TYPES)}")

    def save_pretrained(self, save_directory: str | Path, dtype: torch.dtype = torch.float16, **kwargs: Any) -> None:
        """Write a diffusers folder: model_index.json, unet/, label_embedding/, scheduler/, as safetensors.

        Args:
            save_directory: Folder to write; made if it is not there.
            dtype: Weights are rounded to it; the pipeline itself keeps its own.
            kwargs: Handed on to diffusers.
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

    @classmethod
    def load(
        cls, folder: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> SculptorPipeline:
        """Open a model folder that this class or the training program wrote.

        Args:
            folder: Holds model_index.json and one folder per component.
            device: Where the weights go.
            dtype: What the weights become; float32 for exact runs.

        Raises:
            ModelFolderError: The folder cannot be used; the message says why and what to do.
        """
        from sculptor_app.diffusion.model_folder import read_components

        unet, table, scheduler, settings = read_components(Path(folder), dtype)
        pipeline = cls(unet, table, scheduler, **settings)
        pipeline.to(device)
        return pipeline


def _to_output(x: torch.Tensor, output_type: str) -> np.ndarray | torch.Tensor | list[Image.Image]:
    """Pictures of (B, 3, H, W) in [-1, 1], in the form asked for, in [0, 1]."""
    images = (x.float() / 2 + 0.5).clamp(0, 1)
    if output_type == "pt":
        return images
    array: np.ndarray = images.permute(0, 2, 3, 1).cpu().numpy()  # (B, H, W, 3)
    if output_type == "np":
        return array
    return [Image.fromarray((picture * 255).round().astype(np.uint8)) for picture in array]
