"""Pages of a run or a grid, for a slide or a paper: posters, contact sheets by phase, and the energy plot alone.

A page is laid out here, once, as marks; `exports.page_marks` draws them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
from PIL import PngImagePlugin

from sculptor_app.core.colours import BAND_DASHES, DARK_PAPER, LIGHT_PAPER, Paper
from sculptor_app.core.texts import power_of_ten_text, translate
from sculptor_app.core.trajectory.base import AnyTrajectory, RunTitle
from sculptor_app.core.trajectory.levels import SETTLING_RULES, PhaseSpan, layer_spans
from sculptor_app.exports.animation.grid import GridScenes, fitting_size
from sculptor_app.exports.animation.options import CONTACT_SHEET, MIN_SIZE_PX, PLOT, AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import (
    DecodedFrames,
    RunGrid,
    RunOrGrid,
    geometry,
    kinds_of,
    share_done,
    shown_picture,
    shown_states,
)
from sculptor_app.exports.files import ExportCancelled, ExportError, Progress, replacing
from sculptor_app.exports.page_marks import (
    WIDTH,
    Box,
    Bytes,
    Line,
    Mark,
    Picture,
    Poster,
    Ring,
    Text,
    as_image,
    as_pdf,
    as_svg,
)
from sculptor_app.exports.settings import settings_text, told_title
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.run_measures import RunMeasures, Source
from sculptor_app.measures.spectrum import BANDS

_MARGIN, _GAP, _LABEL = 40.0, 10.0, 96.0
_PLOT_HEIGHT = 230.0
_PLOT_ALONE_HEIGHT = 520.0
_COLUMNS = ((12, 6), (32, 8), (60, 10), (120, 12))
"""Of a contact sheet: so many states at most, and how many stand in a row; 16 of more."""
_MOST_COLUMNS = 16
_COLUMNS_OF_MANY = 3
MOST_ON_SHEET, MOST_OF_MANY = 240, 48
"""States on a contact sheet of one run, and of many; of a longer run they are chosen evenly."""
PNG_SCALE = 2
"""Pixels for each unit of a page."""
_WITHOUT_PHASES = 8
_DECADES = 8


def write_poster(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    progress: Progress | None = None,
    stop: Event | None = None,
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
    kind: str = "svg",
) -> None:
    """Write a poster; arguments and errors are those of `write_gif`.

    Args:
        kind: "svg", "pdf" or "png".
    """
    states = chosen_states(source, options)
    settings = settings_text(source, options.as_dict(), measures, disclosure)
    with replacing(path) as file:
        poster = lay_out(source, measures, options, states, decoded, disclosure, progress, stop)
        file.write(_content(poster, settings, kind))


def _content(poster: Poster, settings: str, kind: str) -> bytes:
    """The file that shows a page."""
    match kind:
        case "svg":
            return as_svg(poster, settings).encode()
        case "pdf":
            return as_pdf(poster, settings)
    file, told = io.BytesIO(), PngImagePlugin.PngInfo()
    told.add_text("comment", settings)
    as_image(poster, PNG_SCALE).save(file, "PNG", pnginfo=told)
    return file.getvalue()


def preview_poster(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, k: int,
    disclosure: Disclosure = Disclosure.NAMES,
) -> bytes:  # fmt: skip
    """The poster as a PNG, whatever the state; otherwise as `preview_gif`."""
    poster = lay_out(source, measures, options, chosen_states(source, options), None, disclosure)
    file = io.BytesIO()
    as_image(poster, PNG_SCALE).save(file, "PNG", pnginfo=PngImagePlugin.PngInfo())
    return file.getvalue()


def estimate_poster_bytes(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, stop: Event | None = None,
    kind: str = "svg",
) -> int:  # fmt: skip
    """How large the poster becomes: it is made; otherwise as `estimate_bytes`."""
    poster = lay_out(source, measures, options, chosen_states(source, options), None, Disclosure.NAMES, None, stop)
    return len(_content(poster, "", kind))


def chosen_states(source: RunOrGrid, options: AnimationOptions) -> tuple[int, ...]:
    """Of the states that can be shown the first, and of each phase one in its middle and the last.

    A contact sheet has all of them, up to MOST_ON_SHEET or MOST_OF_MANY, and the plot alone has none.
    """
    run = source.lead_run if isinstance(source, RunGrid) else source
    if options.layout == PLOT:
        return ()
    shown = shown_states(source, options)
    if options.layout == CONTACT_SHEET:
        if shown[0] == 1 and not options.into_noise and _shows_guesses(options):
            shown = (0, *shown)  # the noise itself, of which there is no guess
        most = MOST_OF_MANY if isinstance(source, RunGrid) else MOST_ON_SHEET
        if len(shown) <= most:
            return shown
        return tuple(shown[round(n * (len(shown) - 1) / (most - 1))] for n in range(most))
    wanted = {0}
    for span in run.spans:
        wanted |= {(span.first_step + span.last_step) // 2, span.last_step}
    if not run.spans:
        wanted = {round(n * run.planned_steps / (_WITHOUT_PHASES - 1)) for n in range(_WITHOUT_PHASES)}
    near = {min(shown, key=lambda state: abs(state - k)) for k in wanted if k <= run.last or k == min(wanted)}
    return tuple(sorted(near | {shown[-1]}))


def lay_out(
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    states: tuple[int, ...],
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> Poster:
    """Put everything in its place; errors are those of `write_gif`."""
    run = source.lead_run if isinstance(source, RunGrid) else source
    paper = DARK_PAPER if options.dark else LIGHT_PAPER
    title = source.title if isinstance(source, RunGrid) else told_title(source.info, disclosure)
    marks: list[Mark] = list(_heading(title, paper))
    if options.layout == PLOT:
        if not isinstance(source, AnyTrajectory):
            raise _no_plot_of_many()
        plot = list(_plot(source, measures, options, 116.0, paper, _PLOT_ALONE_HEIGHT))
        if not plot:
            raise ExportError(
                translate("errors", "This run has no guesses, so there is no plot of them."),
                translate("errors", "Export that of the noisy state instead."),
            )
        return _page([*marks, *plot], 106.0 + _PLOT_ALONE_HEIGHT + 76.0, run, options, paper, title)
    if options.layout == CONTACT_SHEET:
        sheet, below = _contact_sheet(source, options, states, paper, decoded, progress, stop)
        return _page([*marks, *sheet], below, run, options, paper, title)
    order = states[::-1] if options.into_noise else states
    rows = list(_rows(source, options, order, decoded, progress, stop))
    label = _LABEL if any(name for name, _ in rows) else 0.0
    column = (WIDTH - 2 * _MARGIN - label - _GAP * (len(order) - 1)) / len(order)
    lefts = [_MARGIN + label + number * (column + _GAP) for number in range(len(order))]
    top = 106.0
    marks += _phase_heads(run, order, lefts, column, top, options.into_noise, paper)
    top += 52.0
    for name, pictures in rows:
        tall = max(column * picture.shape[0] / picture.shape[1] for picture in pictures)
        if name:
            marks += [
                Text((_MARGIN, top + tall / 2 + 4 + 16 * line), words, 13, paper.muted)
                for line, words in enumerate(name.split(" ", 1))
            ]
        marks += [
            Picture((left, top), column, column * picture.shape[0] / picture.shape[1], picture)
            for left, picture in zip(lefts, pictures, strict=True)
        ]
        top += tall + _GAP
    top += 14.0
    if isinstance(source, AnyTrajectory):
        plot = list(_plot(source, measures, options, top, paper))
        if plot:
            marks += plot
            top += _PLOT_HEIGHT + 54.0
    return _page(marks, top, run, options, paper, title)


def _page(
    marks: list[Mark], top: float, run: AnyTrajectory, options: AnimationOptions, paper: Paper, title: RunTitle
) -> Poster:
    """The page with its last line."""
    footer = Text((_MARGIN, top + 8), _footer(run, options), 11, paper.muted)
    return Poster(top + 36.0, paper, (*marks, footer), " · ".join(title.parts))


def _no_plot_of_many() -> ExportError:
    return ExportError(
        translate("errors", "A grid of runs has no plot of its own."),
        translate("errors", "Choose a poster or a contact sheet."),
    )


def _contact_sheet(
    source: RunOrGrid, options: AnimationOptions, states: tuple[int, ...], paper: Paper,
    decoded: DecodedFrames | None, progress: Progress | None, stop: Event | None,
) -> tuple[list[Mark], float]:  # fmt: skip
    """All states under the bars of their phases, in rows, and where they end."""
    run = source.lead_run if isinstance(source, RunGrid) else source
    count = next((columns for most, columns in _COLUMNS if len(states) <= most), _MOST_COLUMNS)
    if isinstance(source, RunGrid):
        count = _COLUMNS_OF_MANY
    column = (WIDTH - 2 * _MARGIN - _GAP * (count - 1)) / count
    most_px = 2 * round(column)  # what is larger could not be seen
    if isinstance(source, RunGrid):
        small = replace(options, size_px=fitting_size(source, most_px), caption=False)
    else:
        small = replace(options, size_px=max(MIN_SIZE_PX, min(options.size_px, most_px)))
    order = states[::-1] if options.into_noise else states
    rows = list(_rows(source, small, order, decoded, progress, stop))  # one of each kind of frame
    counted = layer_spans(run.spans, run.planned_steps) if options.into_noise else run.spans
    marks: list[Mark] = []
    top, place, shown = 106.0, 0, None
    for number, k in enumerate(order):
        span = next((each for each in run.spans if each.first_step <= max(k, 1) <= each.last_step), None)
        cells = [rows_of[number] for _, rows_of in rows]
        heights = [column * picture.shape[0] / picture.shape[1] for picture in cells]
        tall = sum(heights) + 2 * (len(cells) - 1)
        if span is not shown or place == count:
            if number:
                top += tall + 24
            place = 0
        if span is not shown and span is not None:
            told = next(each for each in counted if each.phase is span.phase)
            marks.append(Box((_MARGIN, top), WIDTH - 2 * _MARGIN, 24, paper.phases[span.phase.key]))
            marks.append(Text((_MARGIN + 7, top + 16.5), f"{span.phase.name} {_steps_of(told)}", 13, paper.on_phase))
            top += 24 + _GAP
        shown = span
        left, upper = _MARGIN + place * (column + _GAP), top
        for picture, height in zip(cells, heights, strict=True):
            marks.append(Picture((left, upper), column, height, picture))
            upper += height + 2
        words = _state_words(run, k, options.into_noise, column > 80)
        marks.append(Text((left + column / 2, upper + 12), words, 11, paper.muted, "middle"))
        place += 1
    return marks, top + tall + 40


def _shows_guesses(options: AnimationOptions) -> bool:
    return kinds_of(options)[0] is FrameKind.CURRENT_GUESS


def _heading(title: RunTitle, paper: Paper) -> Iterator[Mark]:
    first, *others = title.parts
    yield Text((_MARGIN, 58), _cut(first, 64), 30, paper.text, is_bold=True)
    yield Text((_MARGIN, 84), _cut(" · ".join(others), 150), 15, paper.muted)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _rows(
    source: RunOrGrid, options: AnimationOptions, states: tuple[int, ...], decoded: DecodedFrames | None,
    progress: Progress | None, stop: Event | None,
) -> Iterator[tuple[str, list[Bytes]]]:  # fmt: skip
    """What each row is, and its pictures; a grid has one row of sheets."""
    done = 0

    def looked_up() -> None:
        nonlocal done
        if stop is not None and stop.is_set():
            raise ExportCancelled
        done += 1
        if progress is not None:
            progress(done, total)

    if isinstance(source, RunGrid):
        total = len(states)
        scenes, sheets = GridScenes(source, options, states, decoded), []
        for k in states:
            looked_up()
            sheets.append(scenes.scene(k).rgb())
        yield "", sheets
        return
    run, size, kinds = source, geometry(source, options), kinds_of(options)
    total = len(states) * len(kinds)
    for kind in kinds:
        pictures = []
        for k in states:
            looked_up()
            is_block = k == 0 and _shows_guesses(options)  # of which there is no guess yet
            shown = shown_picture(run, k, FrameKind.NOISY_STATE if is_block else kind, options, decoded)
            if shown.rgb is None:
                raise ExportError(shown.note, translate("errors", "Export the noisy state instead."))
            pictures.append(size.reduced(shown.rgb))
        yield (kind.title if len(kinds) > 1 else ""), pictures


def _phase_heads(
    run: AnyTrajectory, states: tuple[int, ...], lefts: list[float], column: float, top: float, into_noise: bool,
    paper: Paper,
) -> Iterator[Mark]:  # fmt: skip
    """A bar over the columns of each phase with its name and steps, and the number of each state."""
    counted = layer_spans(run.spans, run.planned_steps) if into_noise else run.spans
    named: dict[PhaseSpan, list[int]] = {}
    for number, k in enumerate(states):
        span = next((each for each in run.spans if each.first_step <= k <= each.last_step), None)
        if span is not None:
            named.setdefault(span, []).append(number)
    for span, numbers in named.items():
        told = next(each for each in counted if each.phase is span.phase)
        left, right = lefts[numbers[0]], lefts[numbers[-1]] + column
        yield Box((left, top), right - left, 24, paper.phases[span.phase.key])
        steps = _steps_of(told)
        room = int((right - left - 12) / 7.2)
        full = f"{span.phase.name} {steps}"
        yield Text((left + 7, top + 16.5), full if len(full) <= room else _cut(span.phase.name, max(2, room)), 13,
                   paper.on_phase)  # fmt: skip
    for left, k in zip(lefts, states, strict=True):
        words = _state_words(run, k, into_noise, True)
        yield Text((left + column / 2, top + 43), words, 12, paper.muted, "middle")


def _steps_of(span: PhaseSpan) -> str:
    return f"{span.first_step}–{span.last_step}" if span.first_step < span.last_step else str(span.first_step)


def _state_words(run: AnyTrajectory, k: int, into_noise: bool, has_room: bool) -> str:
    """What stands at a state: the number of its step or layer, with the word where there is room."""
    if k == 0 and run.info.first_step == 1:
        return "pure noise" if has_room else "noise"
    count = run.planned_steps - k if into_noise else k
    return f"{'layer' if into_noise else 'step'} {count}" if has_room else str(count)


def _plot(
    run: AnyTrajectory,
    measures: RunMeasures | None,
    options: AnimationOptions,
    top: float,
    paper: Paper,
    height: float = _PLOT_HEIGHT,
) -> Iterator[Mark]:
    """The energy of each band over the steps, on a logarithmic axis; nothing where there is none."""
    measures = measures or RunMeasures.of(run)
    kind: Source = "state" if options.frames == "noisy" else "guess"
    with np.errstate(divide="ignore"):
        values = np.log10(measures.energies(kind))
    values = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(values).all():
        return
    high = float(np.nanmax(values)) + 0.1
    low = max(float(np.nanmin(values)) - 0.1, high - _DECADES)
    left, right, bottom = _MARGIN + 60, WIDTH - _MARGIN - 80, top + height
    upper = top + 22

    def x(k: float) -> float:
        return left + share_done(k, run.planned_steps, options.into_noise) * (right - left)  # type: ignore[arg-type]

    def y(value: float) -> float:
        return upper + (high - max(value, low)) / (high - low) * (bottom - upper)

    what = "current guess" if kind == "guess" else "noisy state"
    yield Text((_MARGIN, top + 8), f"Energy per band of the {what}", 15, paper.text, is_bold=True)
    yield Text((right, top + 8), "mean power per frequency, white noise = 1", 12, paper.muted, "end")
    for power in range(math.ceil(low), math.floor(high) + 1, 2 if high - low > 4 else 1):
        yield Line(((left, y(power)), (right, y(power))), _mixed(paper, 0.14), 1)
        yield Text((left - 8, y(power) + 4), power_of_ten_text(power), 12, paper.muted, "end")
    is_alone = height > _PLOT_HEIGHT  # no bars with the names of the phases stand over it
    strip = 20 if is_alone else 7
    for span in run.spans:
        ends = sorted((x(span.first_step - 1), x(span.last_step)))
        yield Box((ends[0], bottom), ends[1] - ends[0], strip, paper.phases[span.phase.key])
        if is_alone and ends[1] - ends[0] > 7.2 * len(span.phase.name):
            yield Text((sum(ends) / 2, bottom + 14.5), span.phase.name, 12, paper.on_phase, "middle")
    below = bottom + strip - 7  # where the numbers of the steps stand under
    every = max(1, round(run.planned_steps / 10))
    for k in range(0, run.planned_steps + 1, every):
        count = str(run.planned_steps - k if options.into_noise else k)
        yield Text((x(k), below + 24), count, 12, paper.muted, "middle")
    unit = "layer of noise" if options.into_noise else "step"
    yield Text(((left + right) / 2, below + 42), unit, 12, paper.muted, "middle")
    settled = measures.settled(options.settled_by) if kind == "guess" and not options.into_noise else (None,) * 4
    tags: list[tuple[float, str, str]] = []
    for number, band in enumerate(BANDS):
        ink, dash = paper.bands[band.key], tuple(2 * each for each in BAND_DASHES[band.key])
        points = [(x(k), y(value)) for k, value in enumerate(values[:, number]) if not math.isnan(value)]
        if len(points) < 2:
            continue
        yield Line(tuple(points), ink, 2.2, dash)
        step = settled[number]
        if step is not None and not math.isnan(values[step, number]):
            yield Ring((x(step), y(values[step, number])), 5, ink)
        tags.append((points[-1][1] if not options.into_noise else points[0][1], band.name, ink))
    for place, name, ink in _apart(tags):
        yield Text((right + 12, place + 4), name, 13, ink)
    if any(step is not None for step in settled):
        meaning = f"rings: settled by {SETTLING_RULES[options.settled_by].name}"
        yield Text((right, below + 42), meaning, 12, paper.muted, "end")


def _apart(tags: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Names beside the ends of lines, from the top on, none nearer to the next than a line of text."""
    placed: list[tuple[float, str, str]] = []
    for place, name, ink in sorted(tags):
        placed.append((max(place, placed[-1][0] + 16 if placed else place), name, ink))
    return placed


def _mixed(paper: Paper, share: float) -> str:
    """So much of the ink on the paper, "#rrggbb"."""
    one, other = (bytes.fromhex(each[1:]) for each in (paper.text, paper.paper))
    return "#" + bytes(round(share * a + (1 - share) * b) for a, b in zip(one, other, strict=True)).hex()


def _footer(run: AnyTrajectory, options: AnimationOptions) -> str:
    info = run.info
    model = f"{info.model_name}" + (f" (SHA-256 {info.weights_hash[:12]}…)" if info.weights_hash else "")
    libraries = ", ".join(f"{name} {version}" for name, version in info.libraries.items())
    made = f"Made with Sculptor {info.app_version}".strip()
    return _cut(" · ".join(filter(None, [model if info.is_of_a_model else "", libraries, made])), 190)
