"""The training loop: v-prediction with label dropout, exponential moving average, safe checkpoints."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import pixel_unshuffle

from sculptor_app.diffusion.pipeline import SculptorPipeline
from sculptor_app.training.checkpoint import load_checkpoint, save_checkpoint
from sculptor_app.training.hasten import hasten_on_cpu
from sculptor_app.training.ledger import Ledger
from sculptor_app.training.noise import add_noise, draw_labels, draw_timesteps
from sculptor_app.training.optimizer import make_optimizer
from sculptor_app.training.recipe import Recipe, learning_rate_at

SPIKE = 4.0
"""A gradient so many times as long as usual is not followed."""
MOST_REFUSED = 40
"""So many in a row mean that the run has come apart; the weights before them are better."""


class PictureSet(Protocol):
    """Where training pictures come from."""

    @property
    def shard_names(self) -> list[str]:
        """What has been read, for a resumed run to read the same."""

    def __len__(self) -> int: ...

    def refresh(self, only: list[str] | None = None) -> None:
        """Look for new pictures, or read exactly those named."""

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (B, H, W, 3) uint8, forms (B,) and materials (B,)."""


class TrainingFailed(Exception):
    """Training cannot go on; the message says why and what to do."""


class Learner(nn.Module):
    """The parts of the pipeline that learn, as one module.

    Args:
        pipeline: Its U-Net and label table are trained in place.
    """

    def __init__(self, pipeline: SculptorPipeline) -> None:
        super().__init__()
        self.unet, self.label_embedding = pipeline.unet, pipeline.label_embedding

    def forward(self, x: torch.Tensor, t: torch.Tensor, forms: torch.Tensor, materials: torch.Tensor) -> torch.Tensor:
        """Predicted v of patchified states (B, C, h, w)."""
        v: torch.Tensor = self.unet(x, t, class_labels=self.label_embedding(forms, materials)).sample
        return v


class Trainer:
    """Learns a pipeline from pictures.

    Args:
        pipeline: Trained in place.
        pictures: The training set.
        recipe: How.
        folder: Checkpoint, log and sample sheets go here. A checkpoint that is there is gone on from.
        say: Called with every report.
    """

    def __init__(
        self, pipeline: SculptorPipeline, pictures: PictureSet, recipe: Recipe, folder: Path,
        say: Callable[[str], None] = print, accelerator: Accelerator | None = None,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self.pictures, self.folder, self._say = recipe, pictures, folder, say
        self.pipeline = pipeline
        self._accelerator = accelerator or Accelerator(mixed_precision=recipe.mixed_precision)
        learner = Learner(pipeline).train().requires_grad_(True)
        if self._accelerator.device.type == "cpu":
            hasten_on_cpu(learner)
        self.average = copy.deepcopy(learner).eval().requires_grad_(False).to(self._accelerator.device)
        self._learner, self._optimizer = self._accelerator.prepare(learner, make_optimizer(learner, recipe))
        self._generator = torch.Generator().manual_seed(recipe.seed + 7919 * self._accelerator.process_index)
        self._alphas_cumprod = pipeline.scheduler.alphas_cumprod.clone()
        self._ledger = Ledger(folder / "log.jsonl")
        self.seen = 0
        self._usual_norm, self._refused = 0.0, 0
        if self.checkpoint_path.exists():
            self._resume()
        else:
            pictures.refresh()

    @property
    def checkpoint_path(self) -> Path:
        """The newest checkpoint."""
        return self.folder / "checkpoint.pt"

    def run(self, until: int | None = None) -> None:
        """Train.

        Args:
            until: Stop after so many pictures in all, with a checkpoint; None goes on to the recipe's end.

        Raises:
            TrainingFailed: The loss is no number any more.
            CheckpointError: The disk is full.
        """
        end = self.recipe.total_pictures if until is None else until
        while self.seen < end:
            self.step()
            if self._passed(self.recipe.report_every) and self._accelerator.is_main_process:
                processes = self._accelerator.num_processes
                self._say(self._ledger.report(self.seen, self.recipe.total_pictures, self._rate(), processes))
            if self._passed(self.recipe.sample_every):
                self._draw_sheet()
            if self._passed(self.recipe.checkpoint_every):
                self.pictures.refresh()
                self.save()
        self.save()

    def step(self) -> float:
        """One step of the optimizer; returns the mean loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        clean, timesteps, noise, forms, materials = self._draw_batch()
        noisy, target = add_noise(clean, noise, self._alphas_cumprod, timesteps)
        patch = self.pipeline.config.patch_size
        predicted = self._learner(pixel_unshuffle(noisy, patch), timesteps, forms, materials)
        losses = (predicted.float() - pixel_unshuffle(target, patch)).square().mean(dim=(1, 2, 3))  # (B,)
        loss = losses.mean()
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"The loss became {float(loss.detach())} after {self.seen:,} pictures. The last checkpoint is "
                "unharmed: start again with a lower --learning-rate."
            )
        self._accelerator.backward(loss)
        norm = float(self._accelerator.clip_grad_norm_(self._learner.parameters(), self.recipe.clip))
        if self._is_usual(norm):
            self._optimizer.step()
        self._optimizer.zero_grad()
        self._ledger.note(losses.detach().cpu(), self._alphas_cumprod[timesteps.cpu()])
        self.seen += self.recipe.batch * self._accelerator.num_processes
        self._follow()
        return float(loss.detach())

    def _is_usual(self, norm: float) -> bool:
        """Whether a gradient may be followed; one far larger than those before it can undo a whole run."""
        if self._usual_norm == 0.0:
            self._usual_norm = norm
        if norm <= SPIKE * self._usual_norm:
            self._usual_norm += 0.02 * (norm - self._usual_norm)
            self._refused = 0
            return True
        self._refused += 1
        if self._refused == MOST_REFUSED:
            raise TrainingFailed(
                f"{MOST_REFUSED} gradients in a row were more than {SPIKE:g} times as long as usual, after "
                f"{self.seen:,} pictures. The last checkpoint is unharmed: start again with a lower --learning-rate."
            )
        return False

    def _rate(self) -> float:
        return learning_rate_at(self.recipe, self.seen)

    def _passed(self, interval: int) -> bool:
        stride = self.recipe.batch * self._accelerator.num_processes
        return bool(self.seen // interval != (self.seen - stride) // interval)

    def _draw_batch(self) -> tuple[torch.Tensor, ...]:
        g, count = self._generator, self.recipe.batch
        indices = torch.randint(0, len(self.pictures), (count,), generator=g).numpy()
        array, forms, materials = self.pictures.take(indices)
        clean = torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1
        if self.recipe.flip:
            mirrored = torch.rand(count, generator=g) < 0.5
            clean = torch.where(mirrored.reshape(-1, 1, 1, 1), clean.flip(3), clean)
        table = self.pipeline.label_embedding
        labels = draw_labels(torch.from_numpy(forms), torch.from_numpy(materials),
                             (table.free_form, table.free_material), self.recipe.label_dropout, g)  # fmt: skip
        timesteps = draw_timesteps(count, self._alphas_cumprod, g)
        noise = torch.randn(clean.shape, generator=g)
        return tuple(t.to(self._accelerator.device) for t in (clean, timesteps, noise, *labels))

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights; early in the run they follow faster."""
        steps = self.seen / (self.recipe.batch * self._accelerator.num_processes)
        decay = min(self.recipe.ema_decay, (1 + steps) / (10 + steps))
        live = list(self._accelerator.unwrap_model(self._learner).parameters())
        torch._foreach_lerp_(list(self.average.parameters()), live, 1 - decay)

    def averaged_pipeline(self) -> SculptorPipeline:
        """A pipeline with the averaged weights; they are shared, not copied."""
        config = self.pipeline.config
        return SculptorPipeline(self.average.unet, self.average.label_embedding, copy.deepcopy(self.pipeline.scheduler),
                                config.patch_size, config.form_names, config.material_names)  # fmt: skip

    def _draw_sheet(self) -> None:
        from sculptor_app.training.samples import write_sample_sheet

        if self._accelerator.is_main_process:
            write_sample_sheet(self.averaged_pipeline(), self.folder / f"samples-{self.seen:09d}.png")

    def save(self) -> None:
        """Write a checkpoint; on several GPUs the first process writes for all."""
        if not self._accelerator.is_main_process:
            return
        state = {"learner": self._accelerator.unwrap_model(self._learner).state_dict(),
                 "average": self.average.state_dict(), "optimizer": self._optimizer.state_dict(),
                 "generator": self._generator.get_state(), "seen": self.seen, "usual_norm": self._usual_norm,
                 "recipe": asdict(self.recipe),
                 "shards": self.pictures.shard_names}  # fmt: skip
        save_checkpoint(self.checkpoint_path, state)

    def _resume(self) -> None:
        state: dict[str, Any] = load_checkpoint(self.checkpoint_path)
        self._accelerator.unwrap_model(self._learner).load_state_dict(state["learner"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.seen, self._usual_norm = state["seen"], state["usual_norm"]
        if self._accelerator.is_main_process:
            self._generator.set_state(state["generator"])
        else:  # only the first process's generator is kept
            self._generator.manual_seed(self.recipe.seed + 7919 * self._accelerator.process_index + self.seen)
        self.pictures.refresh(only=state["shards"])
        if self._accelerator.is_main_process:
            self._say(f"Going on from {self.checkpoint_path} after {self.seen:,} pictures.")
