"""What may change along a run, where, and the sentence that answers what may not."""

import re
from dataclasses import replace
from typing import Any

import pytest

from sculptor_app.core.requests.changes import (
    Change,
    Place,
    RunChanges,
    Segment,
    base_request,
    changes_between,
    segments_words,
)
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory.base import Fork, RunInfo
from sculptor_app.core.trajectory.forward import cosine_levels
from sculptor_app.core.trajectory.levels import UNKNOWN, phase_spans

LEVELS = cosine_levels(50)
REQUEST = RunRequest(form="bust", steps=50, guidance=1.75)


@pytest.mark.parametrize(
    ("text", "usual", "place", "words"),
    [
        ("8", "step", Place("step", 8), "step 8"),
        ("step 8", "snr", Place("step", 8), "step 8"),
        ("Step=8", "step", Place("step", 8), "step 8"),
        ("snr=0.3", "step", Place("snr", 0.3), "SNR 0.3"),
        ("0.3", "snr", Place("snr", 0.3), "SNR 0.3"),
        (" sigma 1.5 ", "step", Place("sigma", 1.5), "σ 1.5"),
        ("σ=1.5", "step", Place("sigma", 1.5), "σ 1.5"),
    ],
)
def test_a_place_in_words(text: str, usual: Any, place: Place, words: str) -> None:
    assert Place.parse(text, usual) == place
    assert place.words == words


@pytest.mark.parametrize("text", ["", "x", "8.5", "-3", "snr=", "snr=x", "time=3", "step 3 4", "snr=-1"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(RequestError, match=re.escape(f"{text!r} is no place along a run; write 8, snr=0.3 or")):
        Place.parse(text)


def test_a_level_lies_where_the_first_step_starts_from_it() -> None:
    """As the phases do, whose borders fall between steps 5|6, 15|16 and 30|31 of 50."""
    for span in phase_spans(LEVELS)[1:]:
        start = LEVELS[span.first_step - 1]
        assert Place("snr", start.snr).step_in(LEVELS) == span.first_step - 1
        assert Place("sigma", start.sigma).step_in(LEVELS) == span.first_step - 1
        assert Place("snr", start.snr * 1.001).step_in(LEVELS) == span.first_step


def test_stretches_of_a_run() -> None:
    changes = (
        Change(Place("step", 31), "guidance", 4.0), Change(Place("step", 8), "form", "vase"),
        Change(Place("step", 8), "prompt", "a lion"), Change(Place("step", 12), "form", "vase"),
    )  # fmt: skip
    first, second, third = RunChanges(changes).segments(REQUEST, LEVELS)
    assert first == Segment(0, REQUEST)
    assert (second.after, second.request.form, second.request.option_values) == (8, "vase", {"prompt": "a lion"})
    assert (third.after, third.request.form, third.request.guidance) == (31, "vase", 4.0)
    words = "form vase after step 8, prompt “a lion” after step 8, guidance 4 after step 31"
    assert segments_words((first, second, third)) == words


@pytest.mark.parametrize(
    ("first", "last", "guidances"),
    [
        (Place("step", 5), Place("step", 31), [(0, 1.0), (5, 1.75), (31, 1.0)]),
        (Place("step", 0), Place("step", 31), [(0, 1.75), (31, 1.0)]),
        (Place("step", 5), Place("step", 50), [(0, 1.0), (5, 1.75)]),
        (Place("snr", 1e-9), Place("snr", 1e9), [(0, 1.75)]),
        (Place("snr", LEVELS[5].snr), Place("sigma", LEVELS[31].sigma), [(0, 1.0), (5, 1.75), (31, 1.0)]),
    ],
)
def test_guidance_between_two_places(first: Place, last: Place, guidances: list[tuple[int, float]]) -> None:
    segments = RunChanges(guidance_between=(first, last)).segments(REQUEST, LEVELS)
    assert [(each.after, each.request.guidance) for each in segments] == guidances
    told = changes_between(segments)
    assert told is not None
    assert base_request(segments) == REQUEST
    assert told.segments(base_request(segments), LEVELS) == segments


def test_stretches_tell_their_changes() -> None:
    changes = RunChanges((Change(Place("step", 8), "form", "vase"), Change(Place("step", 9), "guidance", 3.0)))
    segments = changes.segments(REQUEST, LEVELS)
    assert changes_between(segments) == changes
    assert changes_between(segments[:1]) == RunChanges()
    assert changes_between((Segment(0, REQUEST), Segment(8, RunRequest(seed=8)))) is None  # other noise is no change
    assert changes_between((Segment(0, REQUEST), Segment(8, REQUEST), Segment(3, REQUEST))) is None


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Change(Place("step", 3), "seed", 8), "The seed is one for a whole run; change form, material,"),
        (lambda: Change(Place("step", 3), "width", 8), "The width is one for a whole run; change form, material,"),
        (lambda: of("step", 0), "There is no change after step 0 of this run; choose 1 to 49."),
        (lambda: of("step", 50), "There is no change after step 50 of this run; choose 1 to 49."),
        (lambda: of("snr", 1e-9), "This run begins beyond SNR 1 · 10⁻⁹ already; set the value for all of it."),
        (lambda: of("sigma", 1e-9), "This run has no steps left at σ"),
        (lambda: of("step", 3, "cat"), "The form 'cat' is not known; choose one of"),
        (lambda: of("snr", 1.0, levels=(UNKNOWN,) * 51), "known only when it runs; tell places by steps."),
        (lambda: of("step", 1, levels=LEVELS[-2:]), "A run of one step has no place for a change; take more steps."),
        (lambda: between(5, 5), "No step of this run is between step 5 and step 5; choose two places farther apart."),
        (lambda: between(31, 5), "No step of this run is between step 31 and step 5; choose two places"),
        (lambda: Place("snr", 0), "The noise level snr is 0; give a number above 0."),
        (lambda: Place("step", 1.5), "The step 1.5 is no step; give a whole number."),
        (
            lambda: RunChanges((Change(Place("step", 3), "guidance", 2.0),), (Place("step", 3), Place("step", 5))),
            "Guidance between two places and changes of guidance cannot both be; choose one.",
        ),
    ],
)
def test_nonsense_is_answered_by_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(RequestError, match=re.escape(sentence)):
        make()


def of(kind: Any, value: float, form: str = "vase", levels: Any = LEVELS) -> Any:
    return RunChanges((Change(Place(kind, value), "form", form),)).segments(REQUEST, levels)


def between(first: int, last: int) -> Any:
    return RunChanges(guidance_between=(Place("step", first), Place("step", last))).segments(REQUEST, LEVELS)


def test_a_setting_that_changes_twice_at_one_step() -> None:
    twice = (Change(Place("step", 5), "form", "vase"), Change(Place("snr", LEVELS[5].snr), "form", "ring"))
    with pytest.raises(RequestError, match="The form changes twice after step 5; change it once"):
        RunChanges(twice).segments(REQUEST, LEVELS)


def test_what_changed_along_a_run_in_its_title() -> None:
    form, prompt = Change(Place("step", 8), "form", "vase"), Change(Place("step", 20), "prompt", "a secret")
    assert title_of(form) == "forked at step 8: form bust → vase"
    assert title_of(form, prompt) == "form bust → vase after step 8, another prompt after step 20"
    assert title_of(between=(Place("step", 5), Place("step", 31))) == "guidance 1.75 in steps 6–31 only"
    more = (Change(Place("step", 30), "material", "marble"), Change(Place("step", 40), "sampler", "ddim"))
    assert title_of(form, *more) == "changed after steps 8, 30, 40"


def title_of(*changes: Change, between: Any = None) -> str:
    first, *rest = RunChanges(changes, between).segments(replace(REQUEST, sampler="unipc"), LEVELS)
    forks, request = [], first.request
    for segment in rest:
        forks.append(Fork(segment.after, request))
        request = segment.request
    return RunInfo(request, sampler_name="UniPC", forks=tuple(forks)).title.facts[-1]
