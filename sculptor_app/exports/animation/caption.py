"""The strip under the pictures: a bar of the phases, the step, what each picture shows, and which run it is."""

from dataclasses import dataclass

from PIL import Image, ImageDraw

from sculptor_app.core.texts import ratio_text
from sculptor_app.core.trajectory.base import AnyTrajectory, RunTitle
from sculptor_app.core.trajectory.levels import phase_of
from sculptor_app.exports.animation.drawing import DOT, Inks, blend, first_that_fits, typeface
from sculptor_app.exports.animation.plan import share_done

BAR_PX = 5
_TYPE_SIZES = ((1700, 20), (1100, 16), (220, 13), (140, 11), (0, 10))  # width from which on, and the letters' size
_FUTURE = 0.35  # how strongly the steps still to come are inked


@dataclass(frozen=True, slots=True)
class CaptionCell:
    """What stands under one picture: its left edge and width in pixels, what it is, and its number if it has one."""

    left: int
    width: int
    label: str
    note: str


def caption_height(width: int, titled: bool = False) -> int:
    """Height of the strip in pixels under pictures that are `width` pixels wide in all, with the run's title or not."""
    size = _type_size(width)
    return BAR_PX + (3 if titled else 2) * (size + 5) + 8


def draw_caption(
    sheet: Image.Image,
    trajectory: AnyTrajectory,
    k: int,
    top: int,
    cells: tuple[CaptionCell, ...],
    inks: Inks,
    into_noise: bool = False,
    margin: int = 0,
    title: RunTitle | None = None,
) -> None:
    """Draw the strip of state k into a sheet whose pictures end at `top`.

    Args:
        sheet: RGB.
        top: where the strip begins, pixels.
        cells: what stands under the pictures, from left to right.
        into_noise: count layers of noise from the picture on, instead of steps from the noise on.
        margin: pixels left of the text, and right of it; 0 for what goes with its size.
        title: which run it is, said under it as far as there is room.
    """
    draw = ImageDraw.Draw(sheet)
    width = cells[-1].left + cells[-1].width
    _draw_bar(draw, trajectory, k, top, width, inks, into_noise)
    size = _type_size(width)
    font, margin = typeface(size), margin or max(2, size // 2)
    first_line, second_line = top + BAR_PX + size + 4, top + BAR_PX + 2 * size + 9
    heading = first_that_fits(headings(trajectory, k, into_noise), font, width - 2 * margin)
    draw.text((margin, first_line), heading, inks.text, font, anchor="ls")
    for cell in cells:
        room = cell.width - 2 * margin
        label = first_that_fits((cell.label, cell.label.split(" ")[-1]), font, room)
        draw.text((cell.left + margin, second_line), label, inks.muted, font, anchor="ls")
        if font.getlength(label + "  " + cell.note) <= room:
            draw.text((cell.left + cell.width - margin, second_line), cell.note, inks.muted, font, anchor="rs")
    if title is not None:
        words = first_that_fits(_titles(title), font, width - 2 * margin)
        draw.text((margin, second_line + size + 5), words, inks.muted, font, anchor="ls")


def _type_size(width: int) -> int:
    return next(size for least, size in _TYPE_SIZES if width >= least)


def _titles(title: RunTitle) -> tuple[str, ...]:
    """Which run it is, from the fullest form to the shortest; what can be cut, a long prompt, is cut last."""
    parts = title.parts
    forms = [" · ".join(parts[:count]) for count in range(len(parts), 0, -1)]
    named = [
        " · ".join(filter(None, (what, title.seed)))
        for what in (title.what, *(f"{title.what[:count]}…" for count in (60, 40, 24, 12, 6)))
    ]
    whence = (title.beginning, title.briefly) if title.beginning else ()
    begun = [" · ".join(filter(None, (title.what, each, title.seed))) for each in whence]
    begun += [" · ".join((each, title.seed)) for each in (*whence, *(f"{title.briefly[:30]}…",) * bool(whence))]
    return (*forms[: len(title.facts) + 1], *begun, *(named if title.what else []), title.seed)


def headings(trajectory: AnyTrajectory, k: int, into_noise: bool = False) -> tuple[str, ...]:
    """The first line, from the fullest form to the shortest.

    A step has the phase of the state that it starts from, so both SNRs are said: that one, and the one of the state
    that is shown. A layer of noise has the phase of the state that it leads to, and that is shown.
    """
    count = trajectory.planned_steps
    number, word = (count - k, "Layer") if into_noise else (k, "Step")
    level = trajectory.levels[k]
    start = level if into_noise else trajectory.before(max(k, 1))
    first = "Pure noise" if trajectory.info.first_step == 1 else "Noised picture"
    reached = phase_of(start)
    phase = first if k == 0 else reached.name if reached else ""
    if into_noise and k == count:
        phase = "The picture"
    snr = f"SNR {ratio_text(level.snr, 'infinite')}" if level.is_known else "noise level not known"
    if k and not into_noise and start.is_known and level.is_known:
        snr = f"from SNR {ratio_text(start.snr, 'infinite')} to {ratio_text(level.snr, 'infinite')}"
    step = f"{word} {number} of {count}"
    full, short = (DOT.join(filter(None, parts)) for parts in ((step, phase, snr), (step, phase)))
    counted = f"{number}/{count}"
    shorter = " · ".join(filter(None, (counted, phase)))
    narrow = " · ".join(filter(None, (counted, phase, snr.removeprefix("from "))))
    return (full, full.replace(DOT, " · "), narrow, short, shorter, step, counted, str(number))


def _draw_bar(
    draw: ImageDraw.ImageDraw,
    trajectory: AnyTrajectory,
    k: int,
    top: int,
    width: int,
    inks: Inks,
    into_noise: bool,
) -> None:
    """The phases from left to right in the order in which they are played, full ink up to state k."""
    steps = trajectory.planned_steps
    for span in trajectory.spans:
        ends = (share_done(state, steps, into_noise) * width for state in (span.first_step - 1, span.last_step))
        left, right = sorted(ends)
        ink = inks.phases[span.phase.key]
        reached = min(right, share_done(k, steps, into_noise) * width)
        _fill(draw, left, right, top, blend(ink, inks.paper, _FUTURE))
        _fill(draw, left, reached, top, ink)


def _fill(draw: ImageDraw.ImageDraw, left: float, right: float, top: int, ink: tuple[int, int, int]) -> None:
    if round(right) > round(left):
        draw.rectangle((round(left), top, round(right) - 1, top + BAR_PX - 1), fill=ink)
