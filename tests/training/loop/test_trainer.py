"""Learning, step by step: one picture comes back, the average follows, and what would undo a run is not followed."""

import numpy as np
import pytest
import torch

from sculptor_app.training.errors import SettingsChanged, TrainingFailed
from sculptor_app.training.evaluation.pictures import sample_labelled
from sculptor_app.training.loop import optimizer
from sculptor_app.training.loop.processes import new_accelerator
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.network import new_pipeline
from sculptor_app.training.records.plan import Recipe, learning_rate_at
from tests.training.tiny import Pictures, tiny_pipeline, tiny_trainer, with_recipe


def test_one_picture_is_learned_and_comes_back():
    ramp = np.linspace(30, 220, 8, dtype=np.uint8)
    picture = np.stack([np.tile(ramp, (8, 1)), np.tile(ramp[:, None], (1, 8)), np.full((8, 8), 90, np.uint8)], axis=2)
    recipe = Recipe(total_pictures=6400, batch=32, learning_rate=1e-2, warmup_pictures=320, decay_share=0.4,
                    ema_decay=0.97, flip=False, mixed_precision="no")  # fmt: skip
    torch.manual_seed(0)
    pipeline = new_pipeline(["a", "b"], ["x", "y", "z"], size=8, patch_size=2, channels=(64,))

    def error() -> float:
        samples = sample_labelled(trainer.averaged_pipeline(), [0] * 4, [0] * 4, seed=1, steps=20, guidance_scale=1.0)
        return float(np.abs(samples.astype(float) - picture).mean())

    trainer = Trainer(pipeline, Pictures(picture[None]), recipe)
    assert error() > 50
    while trainer.seen < recipe.total_pictures:
        trainer.step()
    reached = error()
    assert reached < 16, reached  # of 255, after 200 steps


def test_a_step_tells_the_loss_of_each_picture_and_that_of_a_blind_guess():
    step = tiny_trainer().step()
    assert step.losses.shape == step.baseline_losses.shape == step.log_snr.shape == (4,)
    assert step.loss == pytest.approx(step.losses.mean().item())
    assert (step.baseline_losses > 0).all()
    assert step.followed


def test_a_network_that_says_nothing_has_the_blind_loss():
    trainer = tiny_trainer()
    with torch.no_grad():
        trainer.pipeline.unet.conv_out.weight.zero_()
        trainer.pipeline.unet.conv_out.bias.zero_()
    step = trainer.step()
    assert torch.allclose(step.losses, step.baseline_losses, rtol=1e-5)


def test_the_average_follows_the_weights():
    trainer = tiny_trainer()
    start = [p.clone() for p in trainer.average.parameters()]
    trainer.step()
    live = [*trainer.pipeline.unet.parameters(), *trainer.pipeline.label_embedding.parameters()]
    decay = (1 + 1) / (10 + 1)
    for before, now, after in zip(start, live, trainer.average.parameters(), strict=True):
        assert torch.allclose(after, decay * before + (1 - decay) * now, atol=1e-6)


def test_the_rate_rises_stays_and_falls():
    recipe = Recipe(total_pictures=1000, batch=10, learning_rate=1.0, warmup_pictures=100, decay_share=0.4)
    found = [learning_rate_at(recipe, seen) for seen in (0, 90, 500, 600, 800, 1000)]
    assert found == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.5, 0.0])


def test_the_rate_falls_with_the_time_where_that_ends_the_run():
    recipe = Recipe(10**9, batch=10, learning_rate=1.0, warmup_pictures=100, decay_share=0.4, minutes=10)
    found = [learning_rate_at(recipe, 90, 60 * minutes) for minutes in (0, 5, 6, 8, 10, 12)]
    assert found == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.0, 0.0])
    assert learning_rate_at(recipe, 0, 300) == pytest.approx(0.1)


def test_a_loss_that_is_no_number_ends_in_a_sentence():
    trainer = tiny_trainer()
    trainer.step()
    with torch.no_grad():
        trainer.pipeline.unet.conv_in.weight.fill_(float("nan"))
    with pytest.raises(TrainingFailed, match=r"loss became nan after 4 pictures"):
        trainer.step()


def test_weights_that_are_no_numbers_are_not_kept():
    trainer = tiny_trainer()
    with torch.no_grad():
        trainer.average.unet.conv_in.weight[0, 0] = float("inf")
    with pytest.raises(TrainingFailed, match="weights are NaN or infinite"):
        trainer.state()


def live(trainer: Trainer) -> list[torch.Tensor]:
    return [parameter.clone() for parameter in trainer.pipeline.unet.parameters()]


def unchanged(before: list[torch.Tensor], trainer: Trainer) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, live(trainer), strict=True))


def test_a_gradient_far_larger_than_usual_is_not_followed():
    trainer = tiny_trainer()
    trainer.step()
    trainer._guard.usual /= 1e6
    before = live(trainer)
    assert not trainer.step().followed
    assert unchanged(before, trainer)


def test_gradients_that_stay_large_end_in_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(optimizer, "MOST_REFUSED", 3)
    trainer = tiny_trainer()
    trainer.step()
    trainer._guard.usual /= 1e6
    trainer.step()
    trainer.step()
    with pytest.raises(TrainingFailed, match="3 gradients in a row"):
        trainer.step()


def test_a_first_gradient_that_overflows_is_not_taken_for_the_usual_one():
    watch = optimizer.GradientGuard()
    assert not watch.is_usual(float("inf"))
    assert not watch.is_usual(float("nan"))
    assert watch.is_usual(3.0)
    assert watch.usual == 3.0


def test_a_model_that_was_learned_before_has_small_gradients_at_first():
    """They grow fivefold while the learning rate rises: the guard must not refuse them for ever."""
    watch = optimizer.GradientGuard()
    assert watch.is_usual(0.2)
    followed = [watch.is_usual(1.0) for _ in range(optimizer.MOST_REFUSED - 1)]
    assert not followed[0]
    assert followed[-1]


def test_gradients_that_came_apart_stay_refused():
    watch = optimizer.GradientGuard()
    watch.is_usual(1.0)
    assert not any(watch.is_usual(1e3) for _ in range(optimizer.MOST_REFUSED - 1))
    with pytest.raises(TrainingFailed, match="gradients in a row"):
        watch.is_usual(1e3)


def test_fp16_overflows_are_stepped_over_and_the_scale_travels():
    """On a CPU, with the scaler that accelerate would make on a GPU."""
    accelerator = new_accelerator("fp16")
    accelerator.native_amp = True
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30, growth_interval=10**6)
    recipe = with_recipe(mixed_precision="fp16")
    trainer = tiny_trainer(recipe, accelerator=accelerator)
    before = live(trainer)
    assert not trainer.step().followed  # the scaled loss is infinite
    assert unchanged(before, trainer)
    halved = accelerator.scaler.get_scale()
    assert halved == 2.0**29
    while not trainer.step().followed:
        pass
    assert not unchanged(before, trainer)
    state = trainer.state()
    accelerator.scaler.update(1.0)
    trainer.load_state(state)
    assert accelerator.scaler.get_scale() == state["scaler"]["scale"] < halved


def test_the_optimizers_settings_are_the_recipes_of_today_after_resuming():
    state = tiny_trainer(with_recipe(weight_decay=0.5)).state()
    later = tiny_trainer(with_recipe(weight_decay=0.1))
    later.load_state(state)
    assert {group["weight_decay"] for group in later._optimizer.param_groups} == {0.1}


def test_another_optimizers_memory_is_refused():
    state = tiny_trainer().state() | {"optimizer_kind": "SGD"}
    with pytest.raises(SettingsChanged, match="begun with the optimizer SGD, not "):
        tiny_trainer().load_state(state)


def test_the_same_seed_learns_the_same_and_another_something_else():
    losses = [Trainer(tiny_pipeline(), Pictures(np.zeros((3, 16, 16, 3), np.uint8)), with_recipe(seed=seed)).step().loss
              for seed in (0, 0, 1)]  # fmt: skip
    assert losses[0] == losses[1] != losses[2]
