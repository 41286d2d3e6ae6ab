"""The plan of an animation: one run or a grid of them, which states it shows, how long, and how large."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.core.requests.request import Cell, NoiseRecipe
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.array_store import ArrayStore
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, AnyTrajectory, RunTitle
from sculptor_app.core.trajectory.comparison import differing_settings, told_apart
from sculptor_app.core.trajectory.levels import matching_state
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import DECODED
from sculptor_app.exports.animation.options import FRAMES, LAST, NONE, AnimationOptions
from sculptor_app.exports.files import ExportError
from sculptor_app.measures.colours import rgb32_of
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.pictures import (
    NOT_DECODED_STEP,
    Picture,
    coloured,
    frame,
    picture,
    why_no_guidance_guesses,
)

Bytes = NDArray[np.uint8]

GAP_PX = 8
"""Between two pictures side by side."""

_LIKED_SHAPE = 1.5  # columns over rows, as on a page or a screen


@dataclass(frozen=True, slots=True, eq=False)
class RunGrid:
    """Runs of one model that differ in noise and labels, in reading order.

    Attributes:
        column_titles, row_titles: at the edges; as many as there are columns and rows, or none.
    """

    runs: tuple[AnyTrajectory, ...]  # at least one; some may be a step behind while they are being made
    cells: tuple[Cell, ...]  # what each of them was made from
    captions: tuple[str, ...] = ()  # what is written under each; as many as there are runs, or none
    columns: int = 0  # how many stand in a row; 0 for as many as make a well shaped sheet
    column_titles: tuple[str, ...] = ()
    row_titles: tuple[str, ...] = ()
    lead: int = 0  # number of the run whose steps are counted
    lock: str = "step"  # of `LOCKS`: which state of the others goes with one of that run

    @classmethod
    def of_runs(cls, runs: Sequence[AnyTrajectory], captions: tuple[str, ...] = (), **arranged: Any) -> Self:
        """Runs of a model, whatever else they differ in, each as a cell of its own seed and labels.

        Args:
            arranged: the other fields.
        """
        requests = [run.info.request for run in runs]
        cells = tuple(Cell(NoiseRecipe(each.seed), each.form, each.material) for each in requests)
        return cls(tuple(runs), cells, captions, **arranged)

    @property
    def lead_run(self) -> AnyTrajectory:
        """The run whose steps are counted."""
        return self.runs[self.lead]

    def state_of(self, run: AnyTrajectory, k: int) -> int:
        """The state of a run that is shown with state k of the lead; of one that has not come so far its newest."""
        if run is self.lead_run:
            return min(k, run.last)
        return matching_state(self.lead_run.levels, k, run.levels, run.last, self.lock)

    @property
    def shape_in_cells(self) -> tuple[int, int]:
        """Columns and rows."""
        count = len(self.runs)
        columns = self.columns or min(range(1, count + 1), key=lambda each: _misfit(count, each))
        return columns, math.ceil(count / columns)

    @property
    def title(self) -> RunTitle:
        """What all runs have in common: labels, seed, sampler, steps, and a model that is not the embedded one."""
        parts = []
        for values in ({cell.form for cell in self.cells}, {cell.material for cell in self.cells}):
            word = values.pop()
            if not values and word is not None:
                parts.append(word)
        noises = {(cell.noise.seed, cell.noise.towards) for cell in self.cells}
        seed, towards = noises.pop()
        words = "" if noises else f"seed {seed}" if towards is None else f"seed {seed} to {towards}"
        told = [run.info.title.facts for run in self.runs]
        facts = tuple(fact for fact in self.lead_run.info.title.facts if all(fact in each for each in told))
        return RunTitle(" · ".join(parts), "", words, facts)


def compared_runs(one: AnyTrajectory, other: AnyTrajectory, lock: str) -> RunGrid:
    """Two runs side by side, each over what tells it from the other; the first one's steps are counted.

    Raises:
        ExportError: their pictures are of different sizes.
    """
    if one.shape[1:] != other.shape[1:]:
        sizes = [f"{run.shape[2]} × {run.shape[1]}" for run in (one, other)]
        raise ExportError(
            translate("errors", "The two runs have pictures of different sizes, {0} and {1}.").format(*sizes),
            translate("errors", "Export each by itself."),
        )
    differences = differing_settings(one.info, other.info)
    words = [[each.one for each in differences], [each.other for each in differences]]
    captions = tuple(told_apart(differences, values) or " · ".join(run.info.title.parts)
                     for run, values in zip((one, other), words, strict=True))  # fmt: skip
    return RunGrid.of_runs((one, other), captions, columns=2, lock=lock)


def _misfit(count: int, columns: int) -> float:
    """How far a sheet of so many columns is from the liked shape, and how much of its last row is empty."""
    rows = math.ceil(count / columns)
    return abs(math.log(columns / rows / _LIKED_SHAPE)) + 2 * (rows * columns - count) / count


RunOrGrid = AnyTrajectory | RunGrid
"""What an animation, a picture or a table is made of."""


@dataclass(frozen=True, slots=True)
class TimedState:
    """A state in the animation's order: state k, for so long; `is_held` if it is one that is looked at for long."""

    k: int
    delay_ms: int
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the run's pixels become those of the animation."""

    shrink: int  # edge of the block of pixels that becomes one; 1 unless a picture is larger than was asked for
    scale: int  # edge of the block that one pixel becomes; 1 if `shrink` is not
    width: int  # of one picture in the animation, pixels
    height: int  # of one picture in the animation, pixels

    def reduced(self, rgb: Bytes) -> Bytes:
        """A picture (height, width, 3) averaged down by the whole factor, if it is larger than what was asked for."""
        if self.shrink == 1:
            return rgb
        height, width = self.height * self.shrink, self.width * self.shrink
        whole = Image.fromarray(np.ascontiguousarray(rgb[:height, :width]))
        small: Bytes = np.asarray(whole.reduce(self.shrink))
        return small


Wanted = tuple[AnyTrajectory, int, FrameKind]
"""A frame of an export: of which run, of which state, and of which kind."""


class DecodedFrames:
    """Frames of runs in latents as a decoder has made them for one export; one thread keeps them, any thread reads.

    Args:
        budget_bytes: most bytes in memory; older ones go to a temporary file beyond it.
        spill_folder: folder of that file; None is the system's.
    """

    def __init__(self, budget_bytes: int = DEFAULT_BUDGET_BYTES // 4, spill_folder: Path | None = None) -> None:
        self._store = ArrayStore(budget_bytes, spill_folder)
        self._places: dict[Wanted, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._places

    def keep(self, wanted: Wanted, pixels: Frame) -> None:
        """Keep (3, H, W) pixels, about -1 to 1; `TrajectoryStorageError` if there is no room."""
        rgb = coloured(pixels, wanted[2], DECODED).rgb
        assert rgb is not None  # pixels have colours
        self._places[wanted] = self._store.append(rgb)

    def rgb(self, wanted: Wanted) -> Bytes | None:
        """The picture (H, W, 3); None where it was not decoded."""
        place = self._places.get(wanted)
        return None if place is None else self._store[place]

    def close(self) -> None:
        """Forget all of them."""
        self._places.clear()
        self._store.close()


def decoder_factor(run: AnyTrajectory, options: AnimationOptions) -> int:
    """Edge in pixels of what one latent becomes in an export; 1 for pixels, and where nothing of it is decoded.

    Differences have no decoded picture, so nothing of an animation that shows some is decoded.
    """
    shows_pictures = all(kind.is_picture for kind in kinds_of(options))
    is_decoded = run.info.space == "latents" and options.decode != NONE and shows_pictures
    return run.info.decoder_factor if is_decoded else 1


def frames_to_decode(
    source: RunOrGrid, options: AnimationOptions, states: tuple[int, ...], has_small_decoder: bool = False
) -> tuple[list[Wanted], list[Wanted]]:
    """The frames of an export that the model's own decoder is to make, and those for a small one.

    The last one is for the model's own, and the others for a small one where there is one; where all are to be decoded,
    one decoder makes them all, the small one if there is one.

    Args:
        states: what is shown, in the order of the run: `shown_states` of an animation, the one of a still.
    """
    is_last_alone = options.decode == LAST
    last = _frames(source, options, states[-1:])
    others = [wanted for wanted in _frames(source, options, states) if not is_last_alone or wanted not in last]
    own = last if is_last_alone else [] if has_small_decoder else others
    return own, others if has_small_decoder else []


def latents_of(wanted: Iterable[Wanted]) -> Iterator[tuple[Wanted, Frame]]:
    """Each frame with its latents (C, h, w), as a decoder takes them; one that a run does not have is left out."""
    for each in wanted:
        numbers = frame(*each)
        if numbers is not None:
            yield each, numbers


def _frames(source: RunOrGrid, options: AnimationOptions, states: tuple[int, ...]) -> list[Wanted]:
    runs = source.runs if isinstance(source, RunGrid) else (source,)
    return [
        (run, k, kind if k else FrameKind.NOISY_STATE)
        for run in runs
        if decoder_factor(run, options) > 1
        for k in dict.fromkeys(_state_in(source, run, state) for state in states)
        for kind in kinds_of(options)
    ]


def _state_in(source: RunOrGrid, run: AnyTrajectory, k: int) -> int:
    return source.state_of(run, k) if isinstance(source, RunGrid) else min(k, run.last)


def shown_picture(
    run: AnyTrajectory, k: int, kind: FrameKind, options: AnimationOptions, decoded: DecodedFrames | None
) -> Picture:
    """A picture of an export: as it was decoded, or else seen through the latents' map, all of one size.

    What was not decoded is scaled up to what the decoder would make of it, each latent as a square of one colour.
    """
    factor = decoder_factor(run, options)
    rgb = decoded.rgb((run, k, kind)) if decoded is not None and factor > 1 else None
    shown = picture(run, k, kind) if rgb is None else Picture(rgb32_of(rgb))
    if factor == 1 or shown.rgb32 is None:
        return shown
    _, height, width = run.shape
    size = (height * factor, width * factor)
    if rgb is None:
        return replace(shown, rgb32=shown.rgb32.repeat(factor, 0).repeat(factor, 1))
    if rgb.shape[:2] != size:  # a decoder that rounds the size
        rgb = np.asarray(Image.fromarray(rgb).resize(size[::-1], Image.Resampling.NEAREST))
        return Picture(rgb32_of(rgb))
    return shown


def kinds_of(options: AnimationOptions) -> tuple[FrameKind, ...]:
    """What is shown side by side, from left to right."""
    return FRAMES[options.frames].kinds


def native_size(run: AnyTrajectory, options: AnimationOptions) -> tuple[int, int]:
    """Height and width of a run's pictures in an export before they are scaled: decoded, or as the run has them."""
    factor = decoder_factor(run, options)
    return run.shape[1] * factor, run.shape[2] * factor


def geometry(trajectory: AnyTrajectory, options: AnimationOptions) -> Geometry:
    """The whole factor that comes nearest to the size asked for from below."""
    height, width = native_size(trajectory, options)
    longer = max(height, width)
    shrink = -(-longer // options.size_px)
    scale = 1 if shrink > 1 else options.size_px // longer
    return Geometry(shrink, scale, max(1, width // shrink) * scale, max(1, height // shrink) * scale)


def shown_states(source: RunOrGrid, options: AnimationOptions) -> tuple[int, ...]:
    """States in the order of the run: the first that has a picture, every n-th from where it begins, and the last.

    Of a grid those of the run that is counted.

    Raises:
        ExportError: when the run holds nothing of the kind that was asked for.
    """
    trajectory = source.lead_run if isinstance(source, RunGrid) else source
    kinds = kinds_of(options)
    first = 0 if kinds == (FrameKind.NOISY_STATE,) else 1
    states = [k for k in range(first, trajectory.last + 1) if all(_has(trajectory, k, kind) for kind in kinds)]
    if not states:
        raise _nothing_to_show(trajectory, kinds)
    begin = trajectory.planned_steps if options.into_noise else 0
    chosen = [k for k in states if (k - begin) % options.every == 0 or k in (states[0], states[-1])]
    return tuple(chosen)


def _has(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> bool:
    """Whether there is such a frame at step k, without reading it; every run has states and, from step 1 on, chips."""
    if kind.is_of_guidance:
        return trajectory.step(k).guidance is not None and trajectory.info.space != DECODED
    if kind is FrameKind.AFTER_STEP:
        return trajectory.info.space != DECODED
    return kind is not FrameKind.CURRENT_GUESS or not trajectory.step(k).guess_note


def _nothing_to_show(trajectory: AnyTrajectory, kinds: tuple[FrameKind, ...]) -> ExportError:
    if trajectory.last == 0:
        return ExportError(
            translate("errors", "This run holds no step to show."), translate("errors", "Let it take a step first.")
        )
    if kinds[0].is_of_guidance and not _has(trajectory, 1, kinds[0]):
        return ExportError(
            why_no_guidance_guesses(trajectory, 1),
            translate("errors", "Export the current guess instead.") if has_guesses(trajectory) else _NOISY_INSTEAD,
        )
    if FrameKind.AFTER_STEP in kinds and trajectory.info.space == DECODED:
        return ExportError(NOT_DECODED_STEP, _NOISY_INSTEAD)
    return ExportError(trajectory.step(trajectory.last).guess_note, _NOISY_INSTEAD)


_NOISY_INSTEAD = translate("errors", "Export the noisy state instead.")


def has_guesses(trajectory: AnyTrajectory) -> bool:
    """Whether any step of a run that has taken one has a guess."""
    return any(not trajectory.step(k).guess_note for k in range(1, trajectory.last + 1))


def timetable(states: tuple[int, ...], options: AnimationOptions) -> tuple[TimedState, ...]:
    """The frames in playing order with their times; a ping-pong that loops shows neither end twice."""
    hold_ms = max(options.hold_ms, options.delay_ms)
    order = states[::-1] if options.into_noise else states
    frames = [TimedState(k, options.delay_ms) for k in order[:-1]] + [TimedState(order[-1], hold_ms, is_held=True)]
    if options.into_noise:
        frames[0] = TimedState(order[0], hold_ms, is_held=True)
    if options.ping_pong and len(order) > 1:
        back = order[-2:0:-1] if options.loop else order[-2::-1]
        frames += [TimedState(k, options.delay_ms) for k in back]
    return tuple(frames)


def frame_count(source: RunOrGrid, options: AnimationOptions) -> int:
    """How many images the animation has; `ExportError` if there is nothing to show."""
    return len(timetable(shown_states(source, options), options))


def share_done(k: int, steps: int, into_noise: bool) -> float:
    """How far along the way state k of N steps is, 0 at its beginning to 1 at its end."""
    return (steps - k if into_noise else k) / steps
