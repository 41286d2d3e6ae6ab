"""States of a run: what each evaluation was given, and at the end what the pipeline returned."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.schedulers import scheduling_ddpm
from diffusers.utils.pil_utils import numpy_to_pil

from sculptor_app.core.trajectory.levels import phase_of
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.observe.observer import Observer, ObserverOptions, observed, state_in
from sculptor_app.diffusion.pipelines.layout import StateLayout, latent_layout_of
from sculptor_app.exports.numbers import COLUMNS, table_rows
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import frame
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.ui.playback.texts import phase_name
from tests.diffusion.gaussian import gaussian_pipeline
from tests.helpers.any_pipeline import built, engine_of, finish, request_for, write_pictures
from tests.helpers.tiny_pipelines import BUILDERS

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
CHANGED = ("inpaint", "flux_inpaint")
"""Pipelines that lay the known part of a picture over each state."""


@pytest.fixture
def wanted(tmp_path: Path) -> Any:
    write_pictures(tmp_path)
    return functools.partial(request_for, folder=tmp_path)


@contextlib.contextmanager
def calls_of(kind: type) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """The states that calls of a scheduler class's `step` are given, and what they return."""
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    original: Any = kind.step  # type: ignore[attr-defined]

    @functools.wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = inspect.signature(original).bind(self, *args, **kwargs).arguments["sample"].clone()
        result = original(self, *args, **kwargs)
        calls.append((given, state_in(result).clone()))
        return result

    kind.step = step  # type: ignore[attr-defined]
    try:
        yield calls
    finally:
        kind.step = original  # type: ignore[attr-defined]


def recorded(kind: str, wanted: Any, **options: Any) -> tuple[Trajectory, list[tuple[Frame, Frame]]]:
    """A run, and of every step that completes a state the state given and the one returned, in the record's form."""
    engine = engine_of(kind)
    pipeline, scheduler = built(kind)
    request = wanted(kind)
    engine.load(request.model, request.device)
    engine.check_plan(request)  # it takes steps of its own, on a few numbers
    with calls_of(type(scheduler)) as calls:
        trajectory = finish(engine, request, **options)
    size = tuple(dict(request.options).get(name, 16) for name in ("height", "width"))
    convert = FrameConverter(latent_layout_of(pipeline), size).frames
    return trajectory, [(convert(given)[0], convert(returned)[0]) for given, returned in calls]


@pytest.mark.parametrize("kind", [kind for kind in BUILDERS if kind not in ("stable_diffusion", "img2img", "ldm_text")])
def test_a_state_is_what_the_next_evaluation_is_given(kind: str, wanted: Any) -> None:
    trajectory, calls = recorded(kind, wanted)
    assert trajectory.shape == calls[0][0].shape
    for k, (given, returned) in enumerate(calls):
        np.testing.assert_array_equal(trajectory.state(k), given, err_msg=f"state {k}")
        after = trajectory.returned(k + 1)
        assert (after is not None) == (kind in CHANGED)
        np.testing.assert_array_equal(trajectory.state(k + 1) if after is None else after, returned)


@pytest.mark.parametrize("kind", CHANGED)
def test_the_last_state_is_what_the_pipeline_returns(kind: str, wanted: Any) -> None:
    """In latents: the known part of the picture itself, where it was kept."""
    engine, request = engine_of(kind), wanted(kind)
    results: list[Any] = []
    pipeline = built(kind)[0]
    original = type(pipeline)

    class Kept(original):  # type: ignore[misc, valid-type]
        @functools.wraps(original.__call__)
        def __call__(self, **arguments: Any) -> Any:
            results.append(super().__call__(**arguments))
            return results[-1]

    pipeline.__class__ = Kept
    try:
        trajectory = finish(engine, request)
    finally:
        pipeline.__class__ = original
    (want,) = FrameConverter(latent_layout_of(pipeline), (16, 16)).frames(results[0].images)
    np.testing.assert_array_equal(trajectory.state(trajectory.last), want)
    returned = trajectory.returned(trajectory.last)
    assert returned is not None
    assert not np.array_equal(returned, want)


@pytest.mark.parametrize("kind", CHANGED)
def test_the_noise_beside_a_changed_state_is_the_models(kind: str, wanted: Any) -> None:
    """(x − a·x̂0)/s is what the network answered: with the state that `step` returned it is anything."""
    outputs: list[Frame] = []
    engine, request = (
        engine_of(kind),
        wanted(kind, guidance=1.0, sampler="model" if kind == "flux_inpaint" else "euler"),
    )
    pipeline = built(kind)[0]
    network = pipeline.transformer if hasattr(pipeline, "transformer") else pipeline.unet
    convert = FrameConverter(latent_layout_of(pipeline), (16, 16)).frames
    hook = network.register_forward_hook(lambda module, given, output: outputs.append(convert(output[0])[0]))
    trajectory = finish(engine, request)
    hook.remove()
    assert len(outputs) == trajectory.last
    for k in range(1, trajectory.last + 1):
        noise = frame(trajectory, k, FrameKind.PREDICTED_NOISE)
        guess = trajectory.guess(k)
        assert noise is not None
        assert guess is not None
        # A flow's network answers with the noise less the picture.
        want = outputs[k - 1] + guess if kind == "flux_inpaint" else outputs[k - 1]
        np.testing.assert_allclose(noise, want, atol=2e-3)


def test_both_states_can_be_looked_at(wanted: Any) -> None:
    trajectory, _ = recorded("inpaint", wanted)
    plain, _ = recorded("ddim", wanted)
    for k in range(1, trajectory.last):
        after, state = (frame(trajectory, k, each) for each in (FrameKind.AFTER_STEP, FrameKind.NOISY_STATE))
        returned = trajectory.returned(k)
        assert after is not None
        assert state is not None
        assert returned is not None
        np.testing.assert_allclose(after, returned / trajectory.levels[k].scale, rtol=1e-5)
        assert np.abs(after - state).max() > 0.1
        np.testing.assert_array_equal(frame(plain, k, FrameKind.AFTER_STEP), frame(plain, k, FrameKind.NOISY_STATE))


@pytest.mark.parametrize("in_place", [False, True])
def test_pixels_that_a_pipeline_changes_are_recorded(in_place: bool) -> None:
    """A pipeline on pixels that keeps the left half of a picture, and returns it in [0, 1]."""
    known = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(2)) - 0.5
    steps: list[Step] = []
    observer = Observer(lambda start, plan: None, steps.append, options=ObserverOptions())
    pipeline = gaussian_pipeline(16)
    scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(4)
    given = []
    with observed(scheduler, observer):
        x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        for timestep in scheduler.timesteps:
            given.append(x.clone())
            x = scheduler.step(0.5 * scheduler.scale_model_input(x, timestep), timestep, x).prev_sample
            x = x if in_place else x.clone()
            x[..., :8] = known[..., :8]
        observer.finish((x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy())
    for step, state in zip(steps, [*given[1:], x], strict=True):
        np.testing.assert_allclose(step.state, state[0].numpy(), atol=1e-6)
        assert step.returned is not None
        np.testing.assert_allclose(step.returned[..., 8:], step.state[..., 8:], atol=1e-6)
        assert np.abs(step.returned[..., :8] - step.state[..., :8]).max() > 1e-3


def test_a_row_has_the_level_that_its_own_step_starts_from(wanted: Any) -> None:
    """PNDM that begins in mid-schedule passes over a level: its second step is not the next entry's of the schedule."""
    engine = engine_of("img2img")
    run = finish(engine, wanted("img2img", steps=10))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table_rows(run, RunMeasures.of(run))]
    alphas = built("img2img")[0].scheduler.alphas_cumprod
    for row in rows[1:]:
        alpha = float(alphas[int(row["timestep"])])
        assert float(row["SNR before step (ratio)"]) == pytest.approx(alpha / (1 - alpha), rel=1e-5)


def test_a_step_has_one_phase_in_tables_and_on_screen(wanted: Any, tmp_path: Path) -> None:
    """PNDM in img2img at half strength: its second step passes from a state of Refinement over a level of Polish."""
    options = {"prompt": "a bust", "strength": 0.5, "image": str(tmp_path / "image.png")}
    run = finish(engine_of("img2img"), wanted("img2img", steps=6, options=options))
    in_table = [row[COLUMNS.index("phase")] for row in table_rows(run, RunMeasures.of(run))][1:]
    assert phase_of(run.step(2).before) is not phase_of(run.before(2))
    assert in_table == [phase_name(run, k) for k in range(1, run.last + 1)]


def test_a_result_in_another_scale_is_no_other_state() -> None:
    state = np.random.default_rng(1).standard_normal((4, 8, 8)).astype(np.float32)
    returned = torch.from_numpy(state)[None]
    latents = FrameConverter(StateLayout("latents", 4, 8))
    assert latents.last_states((returned,), returned, [state], False) is None
    assert latents.last_states((returned * 5.5,), returned, [state], False) is None
    changed = returned.clone()
    changed[..., :4] = 0
    last = latents.last_states((changed,), returned, [state], False)
    assert last is not None
    np.testing.assert_array_equal(last[0], changed[0].numpy())
    pixels = FrameConverter()
    shown = (returned[:, :3] / 2 + 0.5).clamp(0, 1)
    for result in (shown, shown.permute(0, 2, 3, 1).numpy(), numpy_to_pil(shown.permute(0, 2, 3, 1).numpy())):
        assert pixels.last_states((result,), returned[:, :3], [state[:3]], False) is None


@pytest.mark.parametrize("kind", ["dit", "ddpm"])
def test_fresh_noise_is_not_that_of_the_start(kind: str, wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """DiT hands its sampler no generator: what that draws comes from the global one."""
    drawn: list[torch.Tensor] = []
    plain = scheduling_ddpm.randn_tensor

    def noted(*args: Any, **kwargs: Any) -> torch.Tensor:
        drawn.append(plain(*args, **kwargs))
        return drawn[-1]

    engine, request = engine_of(kind), wanted(kind, sampler="ddpm", steps=4)
    engine.load(request.model, request.device)
    engine.check_plan(request)  # it takes steps of its own, on a few numbers
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", noted)
    run = finish(engine, request)
    start, fresh = run.state(0).ravel(), [each[0].numpy().ravel() for each in drawn]
    assert len(fresh) == 3
    for noise in fresh:
        assert abs(np.corrcoef(noise, start)[0, 1]) < 4 / np.sqrt(start.size)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (None, (1, 3, 8, 8)),
        (None, (2, 4, 8, 6)),
        (StateLayout("latents", 4, 8, patch=2), (1, 12, 16)),
        (StateLayout("latents", 4, 8, patch=2, channels_last=True), (1, 16, 3, 4)),
        (StateLayout("latents", 4, 8, has_time=True), (1, 4, 1, 6, 8)),
    ],
)
def test_a_state_of_a_frame_has_that_frame(layout: StateLayout | None, shape: tuple[int, ...]) -> None:
    converter = FrameConverter(layout, (48, 64))
    one, other = (torch.randn((1, *shape[1:]), generator=torch.Generator().manual_seed(seed)).half() for seed in (1, 2))
    state, frame = one.expand(shape), converter.frames(other)[0]
    made = converter.with_frame(state, frame)
    assert made is not None
    assert (made.shape, made.dtype) == (state.shape, state.dtype)
    for each in converter.frames(made):
        np.testing.assert_array_equal(each, frame)


def test_other_pictures_of_a_batch_stay() -> None:
    state = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(1))
    made = FrameConverter().with_frame(state, np.zeros((3, 4, 4), np.float32))
    assert made is not None
    assert not made[0].any()
    assert torch.equal(made[1], state[1])
