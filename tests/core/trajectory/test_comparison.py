"""Which states of two runs go together, and in what their settings differ."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.request import Lora, Parting, RunRequest
from sculptor_app.core.trajectory.base import Fork, RunInfo
from sculptor_app.core.trajectory.comparison import differing_settings, shared_steps, told_apart
from sculptor_app.core.trajectory.levels import CLEAN, UNKNOWN, NoiseLevel, matching_places, matching_state
from tests.helpers.runs import cosine_levels, made_run


def level(log_snr: float) -> NoiseLevel:
    share = 1 / (1 + math.exp(-log_snr))
    return NoiseLevel(math.sqrt(share), math.sqrt(1 - share))


COARSE, FINE = [level(x) for x in (-4, 0, 4)], [level(x) for x in (-4, -2, 0, 2, 4)]


@pytest.mark.parametrize(
    ("k", "lock", "expected"), [(0, "snr", 0), (1, "snr", 2), (2, "snr", 4), (1, "step", 1), (2, "step", 2)]
)
def test_a_state_goes_with_that_of_its_number_or_of_its_level(k: int, lock: str, expected: int) -> None:
    assert matching_state(COARSE, k, FINE, len(FINE) - 1, lock) == expected


def test_a_run_that_has_not_come_so_far_shows_its_newest_state() -> None:
    assert matching_state(COARSE, 2, FINE, 1, "snr") == 1
    assert matching_state(FINE, 4, COARSE, 2, "step") == 2


def test_pure_noise_and_finished_pictures_go_together() -> None:
    one, other = cosine_levels(8), [NoiseLevel(0.0, 1.0), *cosine_levels(20)[1:]]
    assert matching_state(one, 8, other, 20, "snr") == 20
    assert matching_state(other, 0, one, 8, "snr") == 0
    assert matching_places(other, [NoiseLevel(0.0, 1.0), CLEAN], "snr") == [0.0, 20.0]


def test_an_unknown_level_goes_by_number_and_has_no_place() -> None:
    assert matching_state([UNKNOWN] * 3, 2, FINE, 4, "snr") == 2
    assert matching_state(COARSE, 1, [UNKNOWN] * 5, 4, "snr") == 1
    assert math.isnan(matching_places(COARSE, [UNKNOWN], "snr")[0])
    assert math.isnan(matching_places([UNKNOWN], COARSE, "snr")[0])


def test_the_places_of_a_finer_run_lie_between_the_steps_of_a_coarse_one() -> None:
    assert matching_places(COARSE, FINE, "snr") == pytest.approx([0, 0.5, 1, 1.5, 2], abs=1e-9)
    assert matching_places(COARSE, FINE, "step") == [0, 1, 2, 3, 4]
    assert math.isnan(matching_places(COARSE, [level(-5)], "snr")[0])


@given(st.integers(1, 60), st.integers(1, 60))
def test_going_over_and_back_ends_in_a_neighbouring_state(one: int, other: int) -> None:
    fine, coarse = cosine_levels(max(one, other)), cosine_levels(min(one, other))
    for j in range(len(coarse)):
        there = matching_state(coarse, j, fine, len(fine) - 1, "snr")
        assert abs(matching_state(fine, there, coarse, len(coarse) - 1, "snr") - j) <= 1
        assert abs(matching_places(fine, [coarse[j]], "snr")[0] - there) <= 1


def test_runs_of_the_same_settings_differ_in_nothing() -> None:
    info = made_run().info
    assert differing_settings(info, replace(info, created="later", app_version="0.9", libraries={"torch": "9"})) == []


def test_what_differs_is_named_with_both_values() -> None:
    info = made_run().info
    request = replace(info.request, seed=8, guidance=7.5, options={"prompt": "a lion", "eta": 0.5},
                      loras=(Lora("a/marble.safetensors", 0.8),))  # fmt: skip
    other = replace(info, request=request, sampler_name="Heun", first_step=3, weights_hash="ab" * 32)
    found = {each.name: (each.one, each.other) for each in differing_settings(info, other)}
    assert found == {
        "prompt": ("", "a lion"), "seed": ("7", "8"), "sampler": ("DDIM", "Heun"), "first step": ("", "3"),
        "guidance": ("2", "7.5"), "LoRAs": ("", "LoRA marble × 0.8"), "weights": ("", "abababababab"),
        "eta": ("", "0.5"),
    }  # fmt: skip


def test_a_run_is_told_from_another_in_a_few_words() -> None:
    info = made_run().info
    other = replace(info, request=replace(info.request, seed=8, material=None), sampler_name="Heun")
    differences = differing_settings(info, other)
    assert told_apart(differences, [each.one for each in differences]) == "bronze · seed 7 · DDIM"
    assert told_apart(differences, [each.other for each in differences]) == "material — · seed 8 · Heun"


def test_of_a_drowned_picture_its_name_and_seed_alone_are_compared() -> None:
    info = replace(made_run().info, model_name="", origin="me.png, drowned")
    other = replace(info, origin="you.png, drowned", request=replace(info.request, guidance=9.0))
    assert [each.name for each in differing_settings(info, other)] == ["begun with"]


def info(request: RunRequest, *forks: Fork) -> RunInfo:
    return RunInfo(request, "tiny", forks=forks, sampler_settings={"_class_name": "DDIMScheduler"})


def test_a_fork_shares_steps_with_its_run_and_with_its_other_forks() -> None:
    whole = RunRequest(form="bust", steps=20, seed=7)
    vase, ring = replace(whole, form="vase"), replace(whole, form="ring")
    of_vase, of_ring = info(vase, Fork(6, whole)), info(ring, Fork(9, whole))
    assert shared_steps(info(whole), of_vase) == shared_steps(of_vase, info(whole)) == 6
    assert shared_steps(of_vase, of_ring) == 6
    deeper = info(ring, Fork(6, whole), Fork(11, vase))
    assert shared_steps(deeper, of_vase) == 11
    assert shared_steps(deeper, info(whole)) == 6
    few = RunRequest(form="bust", steps=5, seed=7)
    coarser = info(few, Fork(16, whole))
    assert shared_steps(info(few, Fork(16, whole), Fork(18, few)), coarser) == 18
    assert shared_steps(info(whole), info(vase)) == 0  # another run from the same noise
    assert shared_steps(info(whole), info(whole)) == 0  # made again


@pytest.mark.parametrize("parting", [Parting.NOISED_BACK, Parting.U_TURN])
def test_of_a_state_that_was_changed_the_one_before_is_shared(parting: Parting) -> None:
    whole = RunRequest(steps=20, seed=7)
    changed = info(replace(whole, seed=8), Fork(5, whole, parting))
    assert shared_steps(info(whole), changed) == 4
    assert shared_steps(changed, info(replace(whole, seed=9), Fork(5, whole, parting))) == 4
    gone_on = info(changed.request, *changed.forks, Fork(11, changed.request))
    assert shared_steps(gone_on, info(replace(whole, seed=9), *changed.forks, Fork(11, changed.request))) == 11
