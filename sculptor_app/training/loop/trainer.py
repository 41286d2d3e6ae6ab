"""Training steps: v-prediction with label dropout and a moving average (EMA), from a state that can be saved."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch.nn.functional import pixel_unshuffle

from sculptor_app.core.texts import pictures_text, translate
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.data.batches import PictureSet, draw_batch
from sculptor_app.training.errors import Diverged, OptimizerChanged
from sculptor_app.training.loop.optimizer import GradientGuard, make_optimizer
from sculptor_app.training.loop.processes import gathered, largest, new_accelerator
from sculptor_app.training.network import (
    TrainableModule,
    contiguous_group_norms,
    use_float32_attention,
    with_weights_of,
)
from sculptor_app.training.records.plan import Recipe, learning_rate_at


@dataclass(frozen=True)
class TrainingStep:
    """Losses of one step."""

    losses: torch.Tensor  # mean squared error of v per picture, (B,), on the CPU
    baseline_losses: torch.Tensor  # the same for a network that always says 0, (B,)
    log_snr: torch.Tensor  # of the pictures, (B,)
    followed: bool  # whether the gradient was followed

    @property
    def loss(self) -> float:
        """Mean over the pictures."""
        return float(self.losses.mean())


class Trainer:
    """Learns a pipeline from pictures, step by step.

    Args:
        pipeline: Trained in place.
        accelerator: The place of this process among others; None makes one.

    Attributes:
        average: The averaged weights.
        seen: Pictures seen by all processes together.
        elapsed_s: Seconds spent, kept by whoever calls `step`; the learning rate follows it if the recipe says so.
    """

    def __init__(
        self, pipeline: SculptorPipeline, pictures: PictureSet, recipe: Recipe, accelerator: Accelerator | None = None
    ) -> None:
        self.pipeline, self.pictures, self.recipe = pipeline, pictures, recipe
        self.accelerator = accelerator or new_accelerator(recipe.mixed_precision)
        learner = TrainableModule(pipeline).train().requires_grad_(True)
        use_float32_attention(learner)
        if self.accelerator.device.type == "cpu":
            contiguous_group_norms(learner)
        self.average = copy.deepcopy(learner).eval().requires_grad_(False).to(self.accelerator.device)
        self._learner, self._optimizer = self.accelerator.prepare(learner, make_optimizer(learner, recipe))
        self._generator = torch.Generator().manual_seed(self._own_seed())
        self._alphas_cumprod = pipeline.scheduler.alphas_cumprod.clone()
        self._guard = GradientGuard()
        self.seen, self.elapsed_s = 0, 0.0

    @property
    def stride(self) -> int:
        """Pictures that one step shows to all processes together."""
        return self.recipe.batch * int(self.accelerator.num_processes)

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return learning_rate_at(self.recipe, self.seen, self.elapsed_s)

    def averaged_pipeline(self) -> SculptorPipeline:
        """A pipeline with the averaged weights; they are shared, not copied."""
        return with_weights_of(self.average, self.pipeline)

    def step(self) -> TrainingStep:
        """Take one step of the optimizer.

        Raises:
            Diverged: The loss is NaN or infinite, or the gradients are far too large.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate * group.get("share", 1.0)
        batch = draw_batch(self.pictures, self.pipeline.label_embedding, self._alphas_cumprod, self.recipe,
                           self._generator, self.accelerator.device)  # fmt: skip
        patch = self.pipeline.config.patch_size
        v = self._learner(pixel_unshuffle(batch.noisy, patch), batch.timesteps, batch.forms, batch.materials)
        losses = (v.float() - pixel_unshuffle(batch.target, patch)).square().mean(dim=(1, 2, 3))  # (B,)
        self._refuse_nan(losses)
        followed = self._follow(losses.mean())
        self.seen += self.stride
        self._move_average()
        a_squared = self._alphas_cumprod[batch.timesteps.cpu()]
        return TrainingStep(losses.detach().cpu(), batch.target.square().mean(dim=(1, 2, 3)).cpu(),
                            torch.log(a_squared / (1 - a_squared)), followed)  # fmt: skip

    def _refuse_nan(self, losses: torch.Tensor) -> None:
        loss = float(losses.detach().mean())
        bad = not math.isfinite(loss)
        if largest(self.accelerator, float(bad))[0]:
            found = loss if bad else "NaN or infinite on another process"
            sentence = translate("errors", "The loss became {0} after {1}.")
            raise Diverged(sentence.format(found, pictures_text(self.seen)))

    def _follow(self, loss: torch.Tensor) -> bool:
        """Move the weights down the gradient, unless it is far larger than usual; returns whether they were."""
        self.accelerator.backward(loss)
        norm = float(self.accelerator.clip_grad_norm_(self._learner.parameters(), self.recipe.clip))
        usual = self._guard.is_usual(norm)
        if usual:
            self._optimizer.step()
        elif self.accelerator.scaler is not None:  # fp16: a gradient that overflows asks for a smaller scale
            self.accelerator.scaler.update()
        self._optimizer.zero_grad()
        return usual

    @torch.no_grad()
    def _move_average(self) -> None:
        """Move the averaged weights; early in the run they follow faster."""
        steps = self.seen / self.stride
        decay = min(self.recipe.ema_decay, (1 + steps) / (10 + steps))
        live = list(self.accelerator.unwrap_model(self._learner).parameters())
        torch._foreach_lerp_(list(self.average.parameters()), live, 1 - decay)

    def _own_seed(self, seen: int = 0) -> int:
        return self.recipe.seed + 7919 * int(self.accelerator.process_index) + seen

    def state(self) -> dict[str, Any]:
        """Everything that a later trainer goes on from bit for bit; to be asked of all processes together.

        Returns:
            Plain values and tensors on the CPU; where training is on the CPU they are its own, and move with it.

        Raises:
            Diverged: The weights are NaN or infinite, so that nobody can go on from them.
        """
        learner = self.accelerator.unwrap_model(self._learner)
        weights = [*learner.parameters(), *self.average.parameters()]
        if not torch.stack([torch.isfinite(weight).all() for weight in weights]).all():
            sentence = translate("errors", "The weights are NaN or infinite after {0}.")
            raise Diverged(sentence.format(pictures_text(self.seen)))
        scaler = self.accelerator.scaler
        state = {
            "learner": learner.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "optimizer_kind": self._optimizer_kind(),
            "scaler": {} if scaler is None else scaler.state_dict(),
            "generators": gathered(self.accelerator, self._generator.get_state()),
            "guard": vars(self._guard),
            "seen": self.seen,
            "elapsed_s": self.elapsed_s,
            "shards": self.pictures.shard_names,
        }
        copied: dict[str, Any] = _on_cpu(state)
        return copied

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state; with another number of processes the random choices are new ones.

        Raises:
            SettingsChanged: The pictures or the optimizer are not those that the state was made with.
        """
        self.accelerator.unwrap_model(self._learner).load_state_dict(state["learner"])
        self.average.load_state_dict(state["average"])
        self._load_optimizer(state)
        if self.accelerator.scaler is not None and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        vars(self._guard).update(state["guard"])
        self.seen, self.elapsed_s = state["seen"], state["elapsed_s"]
        if len(state["generators"]) == self.accelerator.num_processes:
            self._generator.set_state(state["generators"][self.accelerator.process_index])
        else:
            self._generator.manual_seed(self._own_seed(self.seen))
        self.pictures.refresh(only=state["shards"])

    def _optimizer_kind(self) -> str:
        return type(getattr(self._optimizer, "optimizer", self._optimizer)).__name__

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        """Take over what the optimizer remembers; its settings, such as the weight decay, are the recipe's of today."""
        chosen = [{k: v for k, v in group.items() if k != "params"} for group in self._optimizer.param_groups]
        if state["optimizer_kind"] != self._optimizer_kind():
            raise OptimizerChanged(
                translate("errors", "The run was begun with the optimizer {0}, not {1}.").format(
                    state["optimizer_kind"], self._optimizer_kind()
                )
            )
        self._optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self._optimizer.param_groups, chosen, strict=True):
            group.update(settings)


def _on_cpu(value: Any) -> Any:
    """The same with every tensor on the CPU; a GPU that has gone is noticed here, before a file is touched."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    return [_on_cpu(item) for item in value] if isinstance(value, list) else value
