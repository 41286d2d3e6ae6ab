"""Many runs side by side: each is the single run of its cell, and all are at one step."""

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.requests.request import Cell, GridRequest, NoiseRecipe, RequestError, Stroke
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.events import GridPart, GridStarted, GridStep
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine, model_facts
from sculptor_app.diffusion.sampling.noise import noise_of, seed_noise
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies import grid
from sculptor_app.diffusion.studies.grid import initial_trajectories, sample_grid

STEPS = 6
CELLS = tuple(
    Cell(NoiseRecipe(seed), form, material)
    for seed, form, material in [
        (7, "bust", None), (7, "vase", "marble"), (8, None, None), (9, "ring", "bronze"), (7, None, "basalt"),
        (11, "head", "marble"),
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def request_(tiny_model: Path) -> GridRequest:
    return GridRequest(CELLS, steps=STEPS, model=str(tiny_model))


def run(engine: Engine, request: GridRequest, **options: Any) -> tuple[Trajectory, ...]:
    events = list(sample_grid(engine, request, threading.Event(), **options))
    started = events[0]
    assert isinstance(started, GridStarted)
    return started.trajectories


def single(engine: Engine, request: GridRequest, cell: Cell) -> Trajectory:
    events = list(sample(engine, request.single(cell), threading.Event()))
    return events[-1].trajectory


def changed(request: GridRequest, **changes: Any) -> GridRequest:
    settings = {name: getattr(request, name) for name in ("cells", "steps", "sampler", "guidance", "device", "model")}
    return GridRequest(**{**settings, **changes})


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_each_cell_is_the_single_run_of_its_noise_and_labels(
    engine: Engine, request_: GridRequest, sampler: str
) -> None:
    """Samplers that add noise, too: each cell goes on with the generator of its own seed."""
    request = changed(request_, sampler=sampler)
    for cell, of_grid in zip(CELLS, run(engine, request), strict=True):
        alone = single(engine, request, cell)
        np.testing.assert_array_equal(of_grid.state(0), alone.state(0))
        near = 1e-4 + 1e-7 * alone.levels[0].scale  # Euler begins at 20,000: float32 has seven figures of it
        for k in range(1, STEPS + 1):
            np.testing.assert_allclose(of_grid.state(k), alone.state(k), atol=near, err_msg=f"state {k} of {cell}")
            np.testing.assert_allclose(of_grid.guess(k), alone.guess(k), atol=near)
        assert of_grid.levels == alone.levels
        assert of_grid.is_complete
        assert (of_grid.info.request, of_grid.info.conditions) == (alone.info.request, alone.info.conditions)


def test_all_cells_advance_together_and_parts_are_reported(engine: Engine, request_: GridRequest) -> None:
    events = sample_grid(engine, request_, threading.Event())
    started = next(events)
    assert isinstance(started, GridStarted)
    assert [run.last for run in started.trajectories] == [0] * 6
    for k in range(1, STEPS + 1):
        assert next(events) == GridPart(k, grid.CHUNK_ON_CPU)
        assert [run.last for run in started.trajectories] == [k] * 4 + [k - 1] * 2
        assert next(events) == GridStep(k)
        assert [run.last for run in started.trajectories] == [k] * 6
    assert list(events) == []
    times = {run.step(k).duration_s for run in started.trajectories for k in range(1, STEPS + 1)}
    assert times == {0}  # four pictures at once took it, and none of them has a share of its own


def test_a_grid_of_one_chunk_has_no_parts(engine: Engine, request_: GridRequest) -> None:
    events = list(sample_grid(engine, changed(request_, cells=CELLS[:3]), threading.Event()))
    assert [type(event) for event in events] == [GridStarted] + [GridStep] * STEPS


def test_a_stop_lands_within_one_chunk(engine: Engine, request_: GridRequest) -> None:
    stop = threading.Event()
    events = sample_grid(engine, request_, stop)
    started = next(events)
    assert isinstance(started, GridStarted)
    evaluations: list[int] = []
    unet = engine.load(request_.model).unet
    hook = unet.register_forward_hook(lambda module, inputs, output: evaluations.append(1))
    next(event for event in events if event == GridPart(2, 4))
    evaluations.clear()
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    hook.remove()
    assert evaluations == []
    assert [run.last for run in started.trajectories] == [2] * 4 + [1] * 2
    assert {run.ended for run in started.trajectories} == {"cancelled"}
    again = run(engine, request_)
    assert all(trajectory.is_complete for trajectory in again)


def test_a_grid_that_is_closed_ends_all_its_calls(engine: Engine, request_: GridRequest) -> None:
    events = sample_grid(engine, request_, threading.Event())
    started = next(events)
    assert isinstance(started, GridStarted)
    next(events)
    events.close()
    assert {trajectory.ended for trajectory in started.trajectories} == {"cancelled"}
    reference = single(engine, request_, CELLS[1])
    np.testing.assert_allclose(run(engine, request_)[1].state(STEPS), reference.state(STEPS), atol=2e-4)


def test_a_fault_in_one_chunk_is_reported_and_ends_them_all(engine: Engine, request_: GridRequest) -> None:
    calls: list[int] = []

    def spoil(module: Any, inputs: Any, output: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:  # the second chunk's second step
            output.sample = output.sample * float("nan")
        return output

    events = sample_grid(engine, request_, threading.Event())
    started = next(events)
    assert isinstance(started, GridStarted)
    hook = engine.load(request_.model).unet.register_forward_hook(spoil)
    with pytest.raises(SamplerFailed, match="Step 2 gave NaN or infinite values"):
        list(events)
    hook.remove()
    assert [trajectory.last for trajectory in started.trajectories] == [2] * 4 + [1] * 2
    assert all(trajectory.ended.startswith("failed: Step 2") for trajectory in started.trajectories)


def test_torchs_grad_mode_belongs_to_each_side(engine: Engine, request_: GridRequest) -> None:
    for _ in sample_grid(engine, request_, threading.Event()):
        assert torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_the_budget_is_divided(engine: Engine, request_: GridRequest, tmp_path: Path) -> None:
    frame_bytes = 3 * 16 * 16 * 4
    runs = run(engine, request_, budget_bytes=6 * 5 * frame_bytes, spill_folder=tmp_path)
    assert [trajectory.budget_bytes for trajectory in runs] == [5 * frame_bytes] * 6
    assert all(trajectory.bytes_in_memory == 5 * frame_bytes for trajectory in runs)
    assert all(trajectory.bytes_on_disk == (2 * STEPS + 1 - 5) * frame_bytes for trajectory in runs)
    np.testing.assert_array_equal(runs[2].state(0), seed_noise(8, 16)[0])


def test_blends_and_paintings_start_from_their_noise_and_say_so(engine: Engine, request_: GridRequest) -> None:
    stroke = Stroke(((0.3, 0.3),), 0.2, (2.0, 2.0, 2.0))
    cells = (Cell(NoiseRecipe(7, 8, 0.5), "bust"), Cell(NoiseRecipe(7, strokes=(stroke,)), "bust", "marble"))
    blended, painted = run(engine, changed(request_, cells=cells))
    np.testing.assert_allclose(np.linalg.norm(blended.state(0)), (3 * 16 * 16) ** 0.5, rtol=0.06)
    np.testing.assert_array_equal(blended.state(0), noise_of(cells[0].noise, 16))
    np.testing.assert_array_equal(painted.state(0), noise_of(cells[1].noise, 16))
    assert blended.info.conditions == "bust · noise 50 % of the way from seed 7 to seed 8"
    assert painted.info.conditions == "bust · marble · noise painted on with 1 stroke"
    assert painted.info.request.seed == 7


def test_the_ends_of_a_blend_are_the_seeds_own_noises() -> None:
    np.testing.assert_array_equal(noise_of(NoiseRecipe(7, 8, 0.0), 16), seed_noise(7, 16)[0])
    np.testing.assert_array_equal(noise_of(NoiseRecipe(7, 8, 1.0), 16), seed_noise(8, 16)[0])


def test_wrong_grids_are_refused(engine: Engine, request_: GridRequest) -> None:
    with pytest.raises(RequestError, match="0 cells; choose 1 to 64"):
        changed(request_, cells=())
    with pytest.raises(RequestError, match="65 cells"):
        changed(request_, cells=CELLS[:1] * 65)
    with pytest.raises(RequestError, match="'tree' is not known"):
        changed(request_, cells=(Cell(NoiseRecipe(1), "tree"),))
    with pytest.raises(RequestError, match="number of steps is 0"):
        changed(request_, steps=0)


@pytest.fixture
def unlabelled(tiny_model: Path, tmp_path: Path) -> Path:
    import json
    import shutil

    folder = tmp_path / "unlabelled"
    shutil.copytree(tiny_model, folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["form_names"] = index["material_names"] = []
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_the_facts_of_a_model(tiny_model: Path, unlabelled: Path, tmp_path: Path) -> None:
    facts = model_facts(str(tiny_model))
    assert (facts.size, facts.forms[0], len(facts.materials)) == (16, "bust", 6)
    assert model_facts(None).size == 128
    assert model_facts(str(unlabelled)).forms == ()
    (tmp_path / "empty").mkdir()
    with pytest.raises(Exception, match="Choose a whole model"):
        model_facts(str(tmp_path / "empty"))
    (tmp_path / "flux.safetensors").touch()
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    for other in ("flux", "flux.safetensors"):  # whole models, of another kind
        with pytest.raises(RequestError, match="takes no noise from outside"):
            model_facts(str(tmp_path / other))


def test_a_model_of_the_hub_is_called_by_its_name(
    request_: GridRequest, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is called by a commit."""
    commit = "0123456789" * 4
    repository = tmp_path / "models--someone--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(tiny_model, repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    named = changed(request_, model="someone/small")
    assert {run.info.model_name for run in initial_trajectories(named)} == {"someone/small"}


def test_a_grid_can_be_seen_before_it_is_sampled(engine: Engine, request_: GridRequest) -> None:
    for sampler in ("ddim", "euler"):
        request = changed(request_, sampler=sampler)
        for before, after in zip(initial_trajectories(request), run(engine, request), strict=True):
            assert (before.last, before.levels) == (0, after.levels)
            np.testing.assert_allclose(before.state(0), after.state(0), rtol=1e-5)
            assert before.info.request == after.info.request


MIXED = (
    Cell(NoiseRecipe(7), "bust", steps=3), Cell(NoiseRecipe(7), "bust", steps=7), Cell(NoiseRecipe(7), "bust"),
    Cell(NoiseRecipe(8), "vase", sampler="heun", steps=4), Cell(NoiseRecipe(7), "bust", sampler="euler"),
    Cell(NoiseRecipe(9), "bust", steps=3), Cell(NoiseRecipe(7), "bust", guidance=5.0),
    Cell(NoiseRecipe(7), guidance=0.0),
)  # fmt: skip


def test_cells_may_have_steps_samplers_and_guidance_of_their_own(engine: Engine, request_: GridRequest) -> None:
    request = changed(request_, cells=MIXED)
    for cell, of_grid in zip(MIXED, run(engine, request), strict=True):
        alone = single(engine, request, cell)
        near = 1e-4 + 1e-7 * alone.levels[0].scale
        assert of_grid.info.request == alone.info.request
        assert (of_grid.last, of_grid.levels, of_grid.is_complete) == (alone.last, alone.levels, True)
        for k in range(alone.last + 1):
            np.testing.assert_allclose(of_grid.state(k), alone.state(k), atol=near, err_msg=f"state {k} of {cell}")
    for before, after in zip(initial_trajectories(request), run(engine, request), strict=True):
        assert before.levels == after.levels
        np.testing.assert_allclose(before.state(0), after.state(0), rtol=1e-4)


def test_shorter_runs_keep_pace_with_the_longest(engine: Engine, request_: GridRequest) -> None:
    events = sample_grid(engine, changed(request_, cells=MIXED), threading.Event())
    started = next(events)
    assert isinstance(started, GridStarted)
    seen = []
    for event in events:
        if isinstance(event, GridStep):
            seen.append([run.last for run in started.trajectories][:3])
    assert [number for _, number, _ in seen] == [*range(1, 8)]
    assert [number for number, _, _ in seen] == [0, 1, 1, 2, 2, 3, 3]


def test_settings_that_give_no_picture_are_refused_before_anything_runs(engine: Engine, request_: GridRequest) -> None:
    cells = (Cell(NoiseRecipe(7)), Cell(NoiseRecipe(7), steps=4, sampler="euler-a"))
    with pytest.raises(RequestError, match="With 4 steps, the numbers of Euler ancestral do not stay finite"):
        next(sample_grid(engine, changed(request_, cells=cells), threading.Event()))
