"""Learning: one picture comes back, a killed run goes on bit for bit, faults end in a sentence and a checkpoint."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from sculptor_app.diffusion.pipeline import SculptorPipeline
from sculptor_app.training import checkpoint
from sculptor_app.training import trainer as trainer_module
from sculptor_app.training.checkpoint import CheckpointError, load_checkpoint
from sculptor_app.training.model import new_pipeline
from sculptor_app.training.recipe import Recipe, learning_rate_at
from sculptor_app.training.samples import sample_labelled
from sculptor_app.training.trainer import Trainer, TrainingFailed


@pytest.fixture(autouse=True)
def own_accelerate_state():
    """Accelerate keeps its precision for the whole process; every test chooses its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


class Pictures:
    """A set in memory."""

    def __init__(self, pictures: np.ndarray) -> None:
        self._pictures = pictures
        self.shard_names: list[str] = []

    def __len__(self) -> int:
        return len(self._pictures)

    def refresh(self, only: list[str] | None = None) -> None:
        pass

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._pictures[indices], indices % 2, indices % 3


def some_pictures(count: int = 5) -> Pictures:
    return Pictures(np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8))


def tiny_pipeline() -> SculptorPipeline:
    torch.manual_seed(0)
    return new_pipeline(["a", "b"], ["x", "y", "z"], size=16, channels=(32, 32))


RECIPE = Recipe(total_pictures=64, batch=4, warmup_pictures=8, report_every=16, checkpoint_every=16, sample_every=10**6)


def trainer(folder: Path, recipe: Recipe = RECIPE, pictures: Pictures | None = None, **more) -> Trainer:
    return Trainer(tiny_pipeline(), pictures or some_pictures(), recipe, folder, say=lambda _: None, **more)


def weights(run: Trainer) -> list[torch.Tensor]:
    return [*run.pipeline.unet.parameters(), *run.pipeline.label_embedding.parameters(), *run.average.parameters()]


def test_one_picture_is_learned_and_comes_back(tmp_path: Path):
    ramp = np.linspace(30, 220, 8, dtype=np.uint8)
    picture = np.stack([np.tile(ramp, (8, 1)), np.tile(ramp[:, None], (1, 8)), np.full((8, 8), 90, np.uint8)], axis=2)
    recipe = Recipe(total_pictures=12800, batch=64, learning_rate=4e-3, warmup_pictures=640, decay_share=0.4, clip=1.0,
                    ema_decay=0.98, flip=False, mixed_precision="no", checkpoint_every=10**6,
                    sample_every=10**6)  # fmt: skip
    torch.manual_seed(0)
    pipeline = new_pipeline(["a", "b"], ["x", "y", "z"], size=8, patch_size=2, channels=(64,))

    def error() -> float:
        samples = sample_labelled(run.averaged_pipeline(), [0] * 4, [0] * 4, seed=1, steps=20, guidance_scale=1.0)
        return float(np.abs(samples.astype(float) - picture).mean())

    run = Trainer(pipeline, Pictures(picture[None]), recipe, tmp_path, say=lambda _: None)
    assert error() > 50
    run.run()
    reached = error()
    assert reached < 16, reached  # of 255, after 200 steps


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path, precision: str):
    recipe = Recipe(**(vars(RECIPE) | {"mixed_precision": precision}))
    whole = trainer(tmp_path / "whole", recipe)
    whole.run()
    first = trainer(tmp_path / "parts", recipe)
    first.run(until=24)
    del first
    second = trainer(tmp_path / "parts", recipe)
    assert second.seen == 24
    second.run()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))


def test_a_run_killed_between_checkpoints_goes_on_from_the_last_one(tmp_path: Path):
    whole = trainer(tmp_path / "whole")
    whole.run()
    killed = trainer(tmp_path / "killed")
    for _ in range(7):  # 28 pictures, and no checkpoint of them
        killed.step()
        if killed.seen == 16:
            killed.save()
    del killed
    again = trainer(tmp_path / "killed")
    assert again.seen == 16
    again.run()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(again), strict=True))


def test_the_average_follows_the_weights(tmp_path: Path):
    run = trainer(tmp_path)
    start = [p.clone() for p in run.average.parameters()]
    run.step()
    live = [*run.pipeline.unet.parameters(), *run.pipeline.label_embedding.parameters()]
    decay = (1 + 1) / (10 + 1)
    for before, now, after in zip(start, live, run.average.parameters(), strict=True):
        assert torch.allclose(after, decay * before + (1 - decay) * now, atol=1e-6)


def test_the_rate_rises_stays_and_falls():
    recipe = Recipe(total_pictures=1000, batch=10, learning_rate=1.0, warmup_pictures=100, decay_share=0.4)
    found = [learning_rate_at(recipe, seen) for seen in (0, 90, 500, 600, 800, 1000)]
    assert found == pytest.approx([0.1, 1.0, 1.0, 1.0, 0.5, 0.0])


def test_a_loss_that_is_no_number_ends_in_a_sentence(tmp_path: Path):
    run = trainer(tmp_path)
    run.run(until=16)
    with torch.no_grad():
        run.pipeline.unet.conv_in.weight.fill_(float("nan"))
    with pytest.raises(TrainingFailed, match="after 16 pictures"):
        run.step()
    assert trainer(tmp_path).seen == 16


def test_a_gradient_far_larger_than_usual_is_not_followed(tmp_path: Path):
    run = trainer(tmp_path)
    run.run(until=16)
    run._usual_norm /= 1e6
    before = [parameter.clone() for parameter in run.pipeline.unet.parameters()]
    run.step()
    assert all(torch.equal(a, b) for a, b in zip(before, run.pipeline.unet.parameters(), strict=True))


def test_gradients_that_stay_large_end_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trainer_module, "MOST_REFUSED", 3)
    run = trainer(tmp_path)
    run.run(until=16)
    run._usual_norm /= 1e6
    with pytest.raises(TrainingFailed, match="3 gradients in a row"):
        run.run()
    assert trainer(tmp_path).seen == 16


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = trainer(tmp_path)
    run.run(until=16)

    def full(state: object, file) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left"):
        run.run(until=32)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.partial"))
    assert trainer(tmp_path).seen == 16


def test_a_damaged_checkpoint_is_named(tmp_path: Path):
    (tmp_path / "checkpoint.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_the_log_tells_the_loss_per_noise_level(tmp_path: Path):
    trainer(tmp_path).run()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["pictures"] for line in lines] == [16, 32, 48, 64]
    assert all(len(line["loss_by_log_snr"]) == 9 and line["loss"] > 0 for line in lines)


def test_a_sample_sheet_appears(tmp_path: Path):
    recipe = Recipe(**(vars(RECIPE) | {"sample_every": 32}))
    run = trainer(tmp_path, recipe)
    run.run(until=32)
    assert [p.name for p in tmp_path.glob("samples-*.png")] == ["samples-000000032.png"]


def test_the_written_model_opens(tmp_path: Path):
    run = trainer(tmp_path)
    run.run(until=16)
    run.averaged_pipeline().save_pretrained(tmp_path / "model")
    opened = SculptorPipeline.load(tmp_path / "model")
    assert torch.equal(opened.unet.conv_in.weight, run.average.unet.conv_in.weight.half().float())
    assert opened.config.form_names == ["a", "b"]
