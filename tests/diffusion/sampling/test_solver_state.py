"""Solver state saved and restored, its tensors stored once; a run's own random generators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, PNDMScheduler
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.diffusion.sampling.noise import RandomStreams, global_seed
from sculptor_app.diffusion.sampling.solver_state import SolverState, TensorStore, UncopyableState, with_strides

CPU = torch.device("cpu")
DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool)


@pytest.fixture
def store(tmp_path: Path) -> TensorStore:
    return TensorStore(2**20, tmp_path)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (1, 3, 4, 5)])
@pytest.mark.parametrize("budget_bytes", [0, 2**20])
def test_tensors_come_back_as_they_were(
    dtype: torch.dtype, shape: tuple[int, ...], budget_bytes: int, tmp_path: Path
) -> None:
    store = TensorStore(budget_bytes, tmp_path)
    tensor = (torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 200).to(dtype)
    kept = store.append(tensor)
    store.append(torch.zeros(9))  # without a budget the one before it goes to the file
    assert (store.bytes_on_disk > 0) == (budget_bytes == 0 and tensor.numel() > 0)
    found = store.read(kept, CPU)
    assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(found, tensor)


@given(st.permutations(range(4)))
def test_numbers_keep_their_order_in_memory(order: list[int]) -> None:
    tensor = torch.arange(120.0).reshape(2, 3, 4, 5).permute(order)
    found = with_strides(tensor.contiguous(), tensor.stride())
    assert found.stride() == tensor.stride()
    assert torch.equal(found, tensor)


def test_what_overlaps_or_has_gaps_is_kept_plain(store: TensorStore) -> None:
    for tensor in (torch.arange(4.0).expand(3, 4), torch.arange(16.0).reshape(4, 4)[:, ::2]):
        found = store.read(store.append(tensor), CPU)
        assert found.is_contiguous()
        assert torch.equal(found, tensor)


def test_a_tensor_is_kept_once_until_it_is_written_into(store: TensorStore) -> None:
    tensor = torch.zeros(1000)
    first = store.append(tensor)
    assert store.append(tensor) is first
    assert store.bytes_in_memory == 4000
    tensor.add_(1)
    second = store.append(tensor)
    assert [float(store.read(kept, CPU)[0]) for kept in (first, second)] == [0, 1]


def test_a_new_tensor_in_an_old_ones_place_is_not_taken_for_it(store: TensorStore) -> None:
    kept = []
    for number in range(200):  # CPython gives objects that were dropped their places again
        kept.append(store.append(torch.full((3,), float(number))))
    assert [float(store.read(each, CPU)[0]) for each in kept] == list(range(200))


def run(scheduler: Any, x: torch.Tensor, first: int = 0) -> torch.Tensor:
    for timestep in scheduler.timesteps[first:]:
        x = scheduler.step(torch.sin(3 * x), timestep, x).prev_sample
    return x


def begun(kind: Any, **settings: Any) -> Any:
    scheduler = kind(**settings)
    scheduler.set_timesteps(8)
    return scheduler


SOLVERS = [(DPMSolverMultistepScheduler, {"solver_order": 3}), (PNDMScheduler, {"skip_prk_steps": True})]


@pytest.mark.parametrize(("kind", "settings"), SOLVERS)
def test_a_solver_goes_on_where_it_stood(kind: Any, settings: dict[str, Any], store: TensorStore) -> None:
    start = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    want = run(begun(kind, **settings), start)
    scheduler = begun(kind, **settings)
    state, x = SolverState(scheduler, store), start
    at_first = state.save()
    for timestep in scheduler.timesteps[:4]:
        x = scheduler.step(torch.sin(3 * x), timestep, x).prev_sample
    saved = state.save()
    run(scheduler, x, 4)  # what was saved does not change with the scheduler
    other = begun(kind, **settings)
    other_state = SolverState(other, store)
    run(other, -start)  # it has a past of its own, which goes
    other_state.restore(saved, store, CPU)
    assert torch.equal(run(other, x, 4), want)
    other_state.restore(at_first, store, CPU)
    assert torch.equal(run(other, start), want)


def test_only_what_changed_is_kept(store: TensorStore) -> None:
    scheduler = begun(DPMSolverMultistepScheduler)
    state = SolverState(scheduler, store)
    assert state.save() == {}
    scheduler.step(torch.zeros(1, 3, 4, 4), scheduler.timesteps[0], torch.ones(1, 3, 4, 4))
    assert {"model_outputs", "lower_order_nums", "_step_index"} <= set(state.save())
    assert not {"timesteps", "sigmas", "alphas_cumprod", "betas"} & set(state.save())
    assert store.bytes_in_memory == 3 * 4 * 4 * 4  # the one converted output


def test_lists_that_were_written_into_are_as_at_first(store: TensorStore) -> None:
    scheduler = begun(DPMSolverMultistepScheduler, solver_order=2)
    state = SolverState(scheduler, store)
    for _ in range(2):
        run(scheduler, torch.ones(1, 3, 4, 4))
        assert scheduler.model_outputs != [None, None]
        state.restore({}, store, CPU)
        assert scheduler.model_outputs == [None, None]


def test_an_attribute_that_the_other_run_added_goes(store: TensorStore) -> None:
    scheduler = begun(PNDMScheduler)
    state = SolverState(scheduler, store)
    saved = state.save()
    scheduler.added, scheduler.table = 3, np.arange(3)
    assert set(state.save()) == {"added", "table"}
    state.restore(saved, store, CPU)
    assert not hasattr(scheduler, "added")


def test_what_cannot_be_copied_is_named(store: TensorStore) -> None:
    scheduler = begun(PNDMScheduler)
    state = SolverState(scheduler, store)
    scheduler.noise_sampler = object()
    with pytest.raises(UncopyableState, match="PNDMScheduler remembers a object, which cannot be kept"):
        state.save()


def test_a_run_draws_from_its_own_generators() -> None:
    torch.manual_seed(5)
    random = RandomStreams(7, torch.Generator().manual_seed(7), "cpu")
    random.enter()
    inside = [torch.rand(2)]
    random.leave()
    outside = torch.rand(2)
    random.enter()
    inside.append(torch.rand(2))
    states = random.states()
    later = torch.rand(2)
    random.set_states(states)
    assert torch.equal(torch.rand(2), later)
    random.reseed(9)
    other = torch.rand(2)
    random.leave()
    random.leave()  # leaving twice does nothing
    torch.manual_seed(5)
    assert torch.equal(torch.rand(2), outside)
    torch.manual_seed(global_seed(7))
    assert torch.equal(torch.cat([torch.rand(2), torch.rand(2)]), torch.cat(inside))
    torch.manual_seed(global_seed(9))
    assert torch.equal(torch.rand(2), other)
