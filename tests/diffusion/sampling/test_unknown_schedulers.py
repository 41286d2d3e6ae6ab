"""Models whose scheduler's arithmetic is not known: they run, their states are recorded, and nothing is guessed."""

import threading
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from PIL import Image

from sculptor_app.core.requests.samplers import OWN_SAMPLER
from sculptor_app.core.trajectory.levels import UNKNOWN
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.compatibility import samplers_for
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.fork import fork
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import why_empty
from sculptor_app.measures.run_measures import RunMeasures, measured
from tests.diffusion.sampling.test_any_pipeline import bare, watched
from tests.helpers.any_pipeline import built, finish, request_for
from tests.helpers.diffusers_models import score, unet

NOT_KNOWN = "How the sampler {0} takes its steps is not known here, so no guess can be shown."


class StrangeScheduler(diffusers.SchedulerMixin, ConfigMixin):
    """Arithmetic of nobody's, at timesteps that mean nothing.

    Args:
        extra: How many more or fewer steps it takes than it says; its timesteps are what the pipeline iterates over.
        says: Whether it keeps timesteps where others do, when the run begins.
    """

    order = 1

    @register_to_config
    def __init__(self, extra: int = 0, says: bool = True) -> None:
        self.init_noise_sigma = 1.0
        self.num_inference_steps: Any = None
        self.timesteps: Any = None

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        self.num_inference_steps = num_inference_steps
        self.timesteps = torch.linspace(0.9, 0.1, num_inference_steps + self.config.extra)
        self._all = self.timesteps
        if not self.config.says:
            self.timesteps = Silent(self.timesteps.tolist())

    def scale_model_input(self, sample: torch.Tensor, timestep: Any = None) -> torch.Tensor:
        return sample

    def step(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, generator: Any = None, **_: Any
    ) -> Any:
        noise = torch.randn(sample.shape, generator=generator)
        return diffusers.schedulers.scheduling_utils.SchedulerOutput(torch.sin(3 * sample) - model_output**2 + noise)


class Silent(list[float]):
    """Timesteps that can be iterated over, and say nothing of their number."""

    def __len__(self) -> int:
        return 1


class OwnStep(diffusers.DDIMScheduler):
    """A known class with a step of its own."""

    def step(self, *args: Any, **kwargs: Any) -> Any:
        return super().step(*args, **kwargs)


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An engine with a pipeline on pixels, and a request, for a scheduler of one of these classes."""
    for kind in (StrangeScheduler, OwnStep):
        monkeypatch.setattr(diffusers, kind.__name__, kind, raising=False)

    def made(scheduler: Any) -> tuple[Engine, Any]:
        pipeline = built("ddpm")[0]
        monkeypatch.setattr(pipeline, "scheduler", scheduler)
        return Engine(lambda *_, **__: pipeline), request_for("ddpm", tmp_path)

    return made


def is_same_run(engine: Engine, request: Any) -> Trajectory:
    want = bare(engine, request)
    got, trajectory = watched(engine, request, watch_guidance=True)
    np.testing.assert_array_equal(got, want)
    assert trajectory.is_complete
    return trajectory


def test_arithmetic_of_nobodys_is_recorded_and_not_guessed_at(strange: Any) -> None:
    engine, request = strange(StrangeScheduler())
    trajectory = is_same_run(engine, request)
    assert trajectory.planned_steps == 4
    assert trajectory.levels == (UNKNOWN,) * 5
    assert trajectory.spans == ()
    for k in range(1, 5):
        assert trajectory.guess(k) is None
        assert trajectory.step(k).guess_note == NOT_KNOWN.format("StrangeScheduler")
        assert why_empty(trajectory, k, FrameKind.CURRENT_GUESS) == NOT_KNOWN.format("StrangeScheduler")
    assert samplers_for(engine.load(request.model, "cpu"), engine.settings) == (OWN_SAMPLER,)


def test_its_states_are_those_that_its_step_returned(strange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, request = strange(StrangeScheduler())
    returned: list[torch.Tensor] = []
    plain = StrangeScheduler.step

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = plain(self, *args, **kwargs)
        returned.append(result.prev_sample)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(StrangeScheduler, "step", noted)
        bare(engine, request)
    trajectory = finish(engine, request)
    for k, state in enumerate(returned, start=1):
        np.testing.assert_array_equal(trajectory.state(k), state[0].numpy())


@pytest.mark.parametrize(("extra", "says"), [(0, False), (3, False), (2, True)])
def test_steps_are_counted_where_they_are_not_said(strange: Any, extra: int, says: bool) -> None:
    engine, request = strange(StrangeScheduler(extra=extra, says=says))
    trajectory = is_same_run(engine, request)
    assert (trajectory.planned_steps, trajectory.last) == (4 + extra, 4 + extra)
    events = list(measured(sample(engine, request, threading.Event())))
    measures: RunMeasures = events[-1].measures
    assert (measures.planned_steps, measures.last) == (4 + extra, 4 + extra)
    assert np.isfinite(measures.energies("state")[:, :2]).all()  # a picture of 8 pixels has no finer bands


def test_a_run_of_fewer_steps_than_planned_is_complete(strange: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, request = strange(StrangeScheduler())
    monkeypatch.setattr(StrangeScheduler, "timesteps", Ending(), raising=False)
    trajectory = finish(engine, request)
    assert (trajectory.planned_steps, trajectory.last, trajectory.ended) == (3, 3, "")
    assert RunMeasures.of(trajectory).is_complete


class Ending:
    """Timesteps of which the last one is never stepped from."""

    def __get__(self, scheduler: Any, kind: Any = None) -> Any:
        return vars(scheduler).get("kept")

    def __set__(self, scheduler: Any, timesteps: Any) -> None:
        vars(scheduler)["kept"] = None if timesteps is None else Shorter(timesteps.tolist())


class Shorter(list[float]):
    def __iter__(self) -> Any:
        return iter([self[place] for place in range(len(self) - 1)])


def test_a_fork_of_it_shares_its_first_steps(strange: Any) -> None:
    engine, request = strange(StrangeScheduler(extra=2))
    whole = finish(engine, request)
    forked = list(fork(whole, 3, engine, threading.Event()))[-1].trajectory
    for k in range(7):
        np.testing.assert_array_equal(forked.state(k), whole.state(k))


@pytest.mark.parametrize(
    ("kind", "scheduler"),
    [
        ("ddpm", "DDPMParallelScheduler"),
        ("ddpm", "UnCLIPScheduler"),
        ("stable_diffusion", "DDIMParallelScheduler"),
        ("stable_diffusion", "IPNDMScheduler"),
    ],
)
def test_what_only_comes_with_a_model_is_watched_and_guessed(
    kind: str, scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = built(kind)[0]
    monkeypatch.setattr(pipeline, "scheduler", getattr(diffusers, scheduler)())
    trajectory = is_same_run(Engine(lambda *_, **__: pipeline), request_for(kind, tmp_path))
    assert all(trajectory.guess(k) is not None for k in range(1, 5))
    assert len(trajectory.spans) > 1


def test_a_predictor_beside_a_corrector_is_recorded_and_guessed(tmp_path: Path) -> None:
    """State 0 is what the corrector is given; the guess is Tweedie's of what the predictor is given."""
    pipeline = score()
    pipeline.set_progress_bar_config(disable=True)
    engine, request = Engine(lambda *_, **__: pipeline), request_for("ddpm", tmp_path, steps=5)
    trajectory = is_same_run(engine, request)
    start = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(request.seed)) * 1348.0
    np.testing.assert_array_equal(trajectory.state(0), start[0].numpy())
    assert [level.sigma for level in trajectory.levels] == pytest.approx(
        [0.01 * 134800.0 ** float(t) for t in torch.linspace(1, 1e-5, 5)] + [0.0], rel=1e-4
    )
    assert all(trajectory.guess(k) is not None for k in range(1, 6))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_sampler_that_goes_to_and_fro_is_recorded_and_not_guessed_at(tmp_path: Path) -> None:
    """RePaint lays noise on between its steps, of which there are fewer than timesteps."""
    pipeline = diffusers.RePaintPipeline(unet(sample_size=32), diffusers.RePaintScheduler())
    pipeline.set_progress_bar_config(disable=True)
    for name in ("image", "mask_image"):
        Image.fromarray(np.full((32, 32, 3), 255, np.uint8)).save(tmp_path / f"{name}.png")
    options = {name: str(tmp_path / f"{name}.png") for name in ("image", "mask_image")}
    options |= {"jump_length": 2, "jump_n_sample": 2}
    engine = Engine(lambda *_, **__: pipeline)
    trajectory = is_same_run(engine, request_for("ddpm", tmp_path, steps=6, options=options))
    assert trajectory.last == trajectory.planned_steps < len(pipeline.scheduler.timesteps)
    assert not any(level.is_known for level in trajectory.levels)
    assert any(trajectory.returned(k) is not None for k in range(1, trajectory.last))
    assert trajectory.guess(1) is None


def test_a_known_class_with_a_step_of_its_own_has_levels_and_no_guess(strange: Any) -> None:
    """The network is told the levels; what the step makes of its answer is not known."""
    engine, request = strange(OwnStep())
    trajectory = is_same_run(engine, request)
    alphas = diffusers.DDIMScheduler().alphas_cumprod
    timesteps = [trajectory.step(k).timestep for k in range(1, 5)]
    assert [level.signal**2 for level in trajectory.levels[:4]] == pytest.approx(
        [float(alphas[int(timestep)]) for timestep in timesteps]
    )
    assert trajectory.levels[4] == UNKNOWN
    assert trajectory.guess(4) is None
    assert trajectory.step(4).guess_note == NOT_KNOWN.format("OwnStep")
