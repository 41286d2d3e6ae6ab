"""A painting that is being made: strokes taken back and made again, and what they make of a frame."""

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.pictures.painting import painted_frame
from sculptor_app.core.requests.painting import PaintedFrame, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.session import painting
from sculptor_app.session.painting import PaintingDraft
from tests.helpers.runs import made_run

RUN = made_run(steps=8, size=16)
RED = PaintStroke(StrokeKind.COLOUR, ((0.5, 0.5),), 0.2, colour="#c04030")
BLUE = PaintStroke(StrokeKind.COLOUR, ((0.2, 0.7), (0.6, 0.2)), 0.1, colour="#3040c0")
ERASED = PaintStroke(StrokeKind.ERASE, ((0.3, 0.3),), 0.2)
NOISE = PaintStroke(StrokeKind.NOISE, ((0.3, 0.3),), 0.2, seed=4)


def values_of(draft: PaintingDraft) -> np.ndarray:
    """By the way of a fork: from the run's own frame on."""
    made = draft.painting
    if made is None:
        return draft.ground.own(draft.frame)
    return painted_frame(draft.ground, made, draft._noise_of)


@given(st.lists(st.sampled_from([RED, BLUE, ERASED, "undo", "redo", "clear", "forget"]), max_size=12))
def test_what_is_seen_is_what_a_fork_goes_on_from(steps: list[PaintStroke | str]) -> None:
    draft, states, place = PaintingDraft(RUN, 4), [()], 0
    for step in steps:
        match step:
            case PaintStroke():
                draft.add(step)
                states, place = [*states[: place + 1], (*states[place], step)], place + 1
            case "undo":
                draft.undo()
                place = max(0, place - 1)
            case "redo":
                draft.redo()
                place = min(len(states) - 1, place + 1)
            case "clear":
                draft.clear()
                if states[place]:
                    states, place = [*states[: place + 1], ()], place + 1
            case _:
                draft.forget_frames()
        assert draft.strokes == states[place]
        assert (draft.can_undo, draft.can_redo) == (place > 0, place + 1 < len(states))
        np.testing.assert_array_equal(draft.values(), values_of(draft))


def test_a_stroke_that_is_being_made_is_seen_and_not_kept() -> None:
    draft = PaintingDraft(RUN, 4)
    draft.add(BLUE)
    before, live = draft.values().copy(), draft.values(RED)
    np.testing.assert_array_equal(draft.values(), before)
    draft.add(RED)
    np.testing.assert_array_equal(draft.values(), live)


def test_frames_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "KEPT_BYTES", 3 * 3 * 16 * 16 * 8)
    draft = PaintingDraft(RUN, 4)
    for stroke in [RED, BLUE] * 4:
        draft.add(stroke)
        draft.values()
    assert len(draft._made) == 3
    for _ in range(8):
        draft.undo()
        np.testing.assert_array_equal(draft.values(), values_of(draft))


def test_the_frame_is_chosen_while_nothing_is_painted() -> None:
    draft = PaintingDraft(RUN, 4)
    assert draft.frame is PaintedFrame.GUESS
    draft.choose(PaintedFrame.STATE)
    draft.add(NOISE)
    assert np.abs(draft.values() - RUN.state(4)).max() > 0.1
    with pytest.raises(RequestError, match="Something is painted on the other frame"):
        draft.choose(PaintedFrame.GUESS)
    draft.undo()
    draft.choose(PaintedFrame.GUESS)
    assert not draft.can_redo  # it was noise, which is none of a guess
    unknown = PaintingDraft(made_run(steps=8, guesses=False), 4)
    assert unknown.frame is PaintedFrame.STATE
    assert "No exact noise is known" in unknown.why_not(StrokeKind.NOISE)
    assert unknown.why_not(StrokeKind.ERASE) == ""


def test_runs_that_are_copied_from_are_numbered_once() -> None:
    draft, others = PaintingDraft(RUN, 4), [made_run(steps=8, size=16, fresh_noise=True) for _ in range(2)]
    assert [draft.source_of(each) for each in (*others, others[0])] == [0, 1, 0]
    draft.add(PaintStroke(StrokeKind.COPY, ((0.5, 0.5),), 0.2))
    made = draft.painting
    assert made is not None
    np.testing.assert_array_equal(made.copied, [others[0].guess(4)])
    with pytest.raises(RequestError, match="another size"):
        draft.source_of(made_run(steps=8, size=8))


def test_what_cannot_be_gone_on_from_cannot_be_painted_on(tiny_model: Path) -> None:
    from sculptor_app.diffusion.sampling.engine import Engine
    from sculptor_app.diffusion.sampling.sample import whole_run

    request = RunRequest(steps=4, model=str(tiny_model), device="cpu")
    run: Trajectory = whole_run(Engine(), request, threading.Event(), lambda _: None)
    assert PaintingDraft(run, 2).frame is PaintedFrame.GUESS
    with pytest.raises(RequestError, match="choose 1 to 4"):
        PaintingDraft(run, 0)
