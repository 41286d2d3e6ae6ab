"""A run, or a grid of runs, as one HTML page that plays in any browser without a network.

Its parts are `resources/page`: the page's frame, its style and its script. Pictures are sprites, sheets of all states
of one kind, in WebP; numbers and words travel as JSON.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sculptor_app import __version__
from sculptor_app.core.colours import DARK_PAPER, LIGHT_PAPER, Paper
from sculptor_app.core.texts import spread_text, translate
from sculptor_app.core.trajectory.base import AnyTrajectory, RunTitle
from sculptor_app.core.trajectory.levels import SETTLING_RULES
from sculptor_app.exports.animation.caption import headings
from sculptor_app.exports.animation.grid import GridScenes
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import (
    DecodedFrames,
    RunGrid,
    RunOrGrid,
    geometry,
    kinds_of,
    shown_picture,
    shown_states,
)
from sculptor_app.exports.files import ExportCancelled, ExportError, Progress, replacing, resource
from sculptor_app.exports.settings import settings_text, told_title
from sculptor_app.measures.glossary import CHAPTERS, TERMS
from sculptor_app.measures.run_measures import RunMeasures, Source
from sculptor_app.measures.spectrum import BANDS

Bytes = NDArray[np.uint8]

LIKED_BYTES = 3 * 10**6
"""A page that would be larger is given rougher pictures, down to the last of QUALITIES; after that it is larger."""
QUALITIES = (92, 85, 75, 60, 45)
"""Of WebP, finest first."""
_BLOCK = 16
"""Edge of what WebP compresses together: pictures side by side begin at multiples of it, so that none bleeds."""
_LARGEST_SHEET = 16 * 2**20
"""Most pixels of a sprite; telephones refuse larger ones."""
_LONGEST_EDGE = 16_383  # of WebP
_SAMPLES = 6
"""States that an estimate encodes."""
_SPECTRUM_POINTS = 64
_DECADES = 8
"""Of power that a plot shows at most."""
_BASE64 = 4 / 3
_SHORT = {"decisions": "Decisions"}
"""Names of phases, by their keys, where there is no room for the whole ones."""
_NO_SPECTRA: dict[str, Any] = {"frequencies": [], "powers": [], "last": 1.0}


def write_page(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    progress: Progress | None = None,
    stop: Event | None = None,
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Write the states that a run, or each of many, has taken so far; arguments and errors are those of `write_gif`."""
    states = shown_states(source, options)  # before anything is written: there may be none
    with replacing(path) as file:
        text = page(source, measures, options, states, decoded, disclosure, progress, stop)
        file.write(text.encode())


def page(
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    states: tuple[int, ...],
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> str:
    """The page of some states, as HTML."""
    pictures = _Pictures.of(source, options, states, decoded)
    quality = _quality(pictures, states, stop)
    sprites = pictures.sprites(states, quality, progress, stop)
    title = " · ".join(_title(source, disclosure).parts)
    settings = settings_text(source, options.as_dict(), measures, disclosure)
    data = {
        **_words(source, options, states, disclosure),
        "facts": _facts(json.loads(settings)),
        **sprites,
        **_numbers(source, measures, options, states),
    }
    return _filled(
        {
            "version": html.escape(__version__),
            "title": html.escape(title) or "Sculptor",
            "style": _part("page.css").replace("{{light}}", _inks(LIGHT_PAPER)).replace("{{dark}}", _inks(DARK_PAPER)),
            "script": _part("page.js"),
            "settings": _in_script(settings),
            "data": _in_script(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)),
        }
    )


def estimate_page_bytes(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, stop: Event | None = None
) -> int:
    """About how large the page becomes, from a few of its pictures; arguments and errors as of `estimate_bytes`."""
    states = shown_states(source, options)
    pictures = _Pictures.of(source, options, states, None)
    _, size = min(_sizes(pictures, states, stop), key=lambda pair: (pair[1] > LIKED_BYTES, -pair[0]))
    numbers = _numbers(source, measures, options, states)
    words = _words(source, options, states, Disclosure.NAMES)
    return size + len(json.dumps([words, numbers])) + sum(len(_part(name)) for name in _PARTS)


def preview_page(
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    k: int,
    disclosure: Disclosure = Disclosure.NAMES,
) -> bytes:
    """The pictures of one state as a PNG file, as rough as the page will show them; as `preview_gif` otherwise."""
    states = shown_states(source, options)
    nearest = min(states, key=lambda state: abs(state - k))
    pictures = _Pictures.of(source, options, states, None)
    rough = [_opened(_webp(rgb, _quality(pictures, states, None))) for rgb in pictures.at(nearest)]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(rough, axis=1)).save(file, "PNG")
    return file.getvalue()


_PARTS = ("page.html", "page.css", "page.js")


def _part(name: str) -> str:
    return resource(f"page/{name}").read_text(encoding="utf-8")


def _filled(contents: dict[str, str]) -> str:
    """The frame with its places filled; a content may hold what looks like a place."""
    first, *others = _part("page.html").split("{{")
    pieces = [first]
    for other in others:
        name, _, rest = other.partition("}}")
        pieces += [contents[name], rest]
    return "".join(pieces)


def _in_script(data: str) -> str:
    """JSON that ends no element around it, whatever it holds."""
    return data.replace("<", "\\u003c")


def _inks(paper: Paper) -> str:
    """A paper's colours as CSS variables."""
    inks = {"paper": paper.paper, "text": paper.text, "muted": paper.muted, "on-phase": paper.on_phase}
    inks |= {f"phase-{key}": ink for key, ink in paper.phases.items()}
    inks |= {f"band-{key}": ink for key, ink in paper.bands.items()}
    mixed = {"line": 12, "border": 26, "field": 5, "focus": 70}
    mixes = [f"  --{name}: color-mix(in srgb, var(--text) {share}%, var(--paper));" for name, share in mixed.items()]
    return "\n".join([*(f"  --{name}: {ink};" for name, ink in inks.items()), *mixes])


class _Pictures:
    """The pictures of a page: of each state one of every kind, all of one size.

    Args:
        at: the pictures (height, width, 3) of a state.
        labels: what each kind is.
        notes: the number beside each picture of a state, empty where there is none.
    """

    def __init__(
        self, at: Callable[[int], list[Bytes]], labels: tuple[str, ...], notes: Callable[[int], list[str]], first: int
    ) -> None:
        self.at, self.notes, self._labels = at, notes, labels
        self.height, self.width = (int(edge) for edge in at(first)[0].shape[:2])
        self.cell_width, self.cell_height = (-(-edge // _BLOCK) * _BLOCK for edge in (self.width, self.height))

    @classmethod
    def of(
        cls, source: RunOrGrid, options: AnimationOptions, states: tuple[int, ...], decoded: DecodedFrames | None
    ) -> _Pictures:
        """Those of a run side by side; those of a grid as one sheet."""
        if isinstance(source, RunGrid):
            scenes = GridScenes(source, options, states, decoded)
            return cls(lambda k: [scenes.scene(k).rgb()], ("",), lambda k: [""], states[-1])
        run, size, kinds = source, geometry(source, options), kinds_of(options)

        def shown(k: int) -> list[Any]:
            return [shown_picture(run, k, kind, options, decoded) for kind in kinds]

        def at(k: int) -> list[Bytes]:
            found = shown(k)
            if missing := next((each for each in found if each.rgb is None), None):
                raise ExportError(missing.note, translate("errors", "Export the noisy state instead."))
            return [size.reduced(each.rgb) for each in found]

        def notes(k: int) -> list[str]:
            return ["" if each.limit is None else spread_text(each.limit) for each in shown(k)]

        return cls(at, tuple(kind.label for kind in kinds), notes, states[-1])

    @property
    def per_sheet(self) -> int:
        """How many pictures a sprite holds at most."""
        rows = _LONGEST_EDGE // self.cell_height
        return max(1, min(self.columns * rows, _LARGEST_SHEET // (self.cell_width * self.cell_height)))

    @property
    def columns(self) -> int:
        """Pictures beside one another in a sprite."""
        return max(1, min(8, _LONGEST_EDGE // self.cell_width))

    def sprites(
        self, states: tuple[int, ...], quality: int, progress: Progress | None, stop: Event | None
    ) -> dict[str, Any]:
        """All pictures as data URIs, and where each of them is."""
        kinds: list[dict[str, Any]] = [{"label": each, "sheets": [], "notes": []} for each in self._labels]
        for start in range(0, len(states), self.per_sheet):
            part = states[start : start + self.per_sheet]
            rows = -(-len(part) // self.columns)
            size = (rows * self.cell_height, min(self.columns, len(part)) * self.cell_width, 3)
            sheets = [np.zeros(size, np.uint8) for _ in kinds]
            for number, k in enumerate(part):
                _look_up(stop)
                row, column = divmod(number, self.columns)
                top, left = row * self.cell_height, column * self.cell_width
                for sheet, kind, rgb, note in zip(sheets, kinds, self.at(k), self.notes(k), strict=True):
                    sheet[top : top + self.cell_height, left : left + self.cell_width] = self._padded(rgb)
                    kind["notes"].append(note)
                if progress is not None:
                    progress(start + number + 1, len(states))
            for sheet, kind in zip(sheets, kinds, strict=True):
                _look_up(stop)
                kind["sheets"].append("data:image/webp;base64," + base64.b64encode(_webp(sheet, quality)).decode())
        return {
            "kinds": kinds,
            "size": [self.width, self.height],
            "cell": [self.cell_width, self.cell_height],
            "columns": self.columns,
            "per_sheet": self.per_sheet,
        }

    def bytes_at(self, k: int, quality: int) -> int:
        """Bytes of the pictures of a state by themselves."""
        return sum(len(_webp(self._padded(rgb), quality)) for rgb in self.at(k))

    def _padded(self, rgb: Bytes) -> Bytes:
        """As large as a cell: the picture's last row and column go on."""
        return np.pad(rgb, ((0, self.cell_height - self.height), (0, self.cell_width - self.width), (0, 0)), "edge")


def _webp(rgb: Bytes, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, "WEBP", quality=quality, method=4)
    return file.getvalue()


def _opened(webp: bytes) -> Bytes:
    with Image.open(io.BytesIO(webp), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB"))


def _look_up(stop: Event | None) -> None:
    if stop is not None and stop.is_set():
        raise ExportCancelled


def _quality(pictures: _Pictures, states: tuple[int, ...], stop: Event | None) -> int:
    """The finest quality with which a page is no larger than is liked, else the roughest."""
    return next((quality for quality, size in _sizes(pictures, states, stop) if size <= LIKED_BYTES), QUALITIES[-1])


def _sizes(pictures: _Pictures, states: tuple[int, ...], stop: Event | None) -> Iterator[tuple[int, int]]:
    """Each quality with about how many bytes the sprites take in it, from a few states between first and last."""
    count = min(_SAMPLES, len(states))
    sampled = sorted({states[round(n * (len(states) - 1) / max(1, count - 1))] for n in range(count)})
    for quality in QUALITIES:
        _look_up(stop)
        mean = sum(pictures.bytes_at(k, quality) for k in sampled) / len(sampled)
        yield quality, round(mean * len(states) * _BASE64)


def _title(source: RunOrGrid, disclosure: Disclosure) -> RunTitle:
    return source.title if isinstance(source, RunGrid) else told_title(source.info, disclosure)


def _words(
    source: RunOrGrid, options: AnimationOptions, states: tuple[int, ...], disclosure: Disclosure
) -> dict[str, Any]:
    """What a page says, and how it plays."""
    run = source.lead_run if isinstance(source, RunGrid) else source
    return {
        "title": list(_title(source, disclosure).parts),
        "states": list(states),
        "steps": run.planned_steps,
        "captions": [headings(run, k, options.into_noise)[1] for k in states],
        "phases": [
            {
                "key": span.phase.key, "name": span.phase.name, "short": _SHORT.get(span.phase.key, span.phase.name),
                "meaning": span.phase.action,
                "first": span.first_step, "last": span.last_step,
            }
            for span in run.spans
        ],
        "terms": _terms(),
        "is_sheet": isinstance(source, RunGrid),
        "into_noise": options.into_noise,
        "delay_ms": options.delay_ms,
        "hold_ms": options.hold_ms,
        "loop": options.loop,
        "ping_pong": options.ping_pong,
        "theme": "dark" if options.dark else "auto",
    }  # fmt: skip


def _facts(told: dict[str, Any]) -> list[tuple[str, str]]:
    """What the run was made with, of the settings that travel in the file, as words and their values."""
    flat = told | told.pop("request", {})
    flat |= flat.pop("options", {})
    left_out = {"application", "export", "runs", "strokes", "forks", "settled"}
    return [
        (name.replace("_", " "), str(value))
        for name, value in flat.items()
        if name not in left_out and value not in (None, "", [], {}, False)
    ]


def _terms() -> list[tuple[str, str]]:
    return [(term.title, term.text) for chapter in CHAPTERS if chapter.key in _EXPLAINED for term in chapter.terms]


_EXPLAINED = ("idea", "frames", "levels", "measures")


def _numbers(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, states: tuple[int, ...]
) -> dict[str, Any]:
    """The energies per band of every state, and the spectra of those that are shown; log10 of power."""
    kind: Source = "state" if options.frames == "noisy" else "guess"
    numbers: dict[str, Any] = {
        "source": kind, "decades": _DECADES, "bands": [], "settled_meaning": "",
        "spectrum": _NO_SPECTRA,
    }  # fmt: skip
    if isinstance(source, RunGrid):
        return numbers
    measures = measures or RunMeasures.of(source)
    energies = measures.energies(kind)
    settled = measures.settled(options.settled_by) if kind == "guess" else (None,) * len(BANDS)
    numbers["settled_meaning"] = f"settled: {SETTLING_RULES[options.settled_by].meaning}"
    for number, band in enumerate(BANDS):
        values = [_log(value) for value in energies[:, number]]
        if any(value is not None for value in values):
            numbers["bands"].append(
                {
                    "key": band.key, "name": band.name, "meaning": TERMS[f"band-{band.key}"].text, "values": values,
                    "settled": settled[number],
                }
            )  # fmt: skip
    numbers["spectrum"] = _spectra(source, measures, kind, states)
    return numbers


def _spectra(run: AnyTrajectory, measures: RunMeasures, kind: Source, states: tuple[int, ...]) -> dict[str, Any]:
    """Mean power in at most so many stretches of frequency, evenly wide in their logarithm.

    They end at the Nyquist frequency, up to which waves of all directions are there: the last rings of the corners are
    so few coefficients that a curve through them would fall to anywhere.
    """
    found = [measures.spectrum(kind, k) if k <= measures.last else None for k in states]
    some = next((each for each in found if each is not None), None)
    if some is None:
        return _NO_SPECTRA
    whole = int((some.coverage >= 1).sum())
    frequencies = some.frequencies[:whole].astype(float)
    if whole < 2:
        return _NO_SPECTRA
    places = np.log(frequencies / frequencies[0]) / math.log(frequencies[-1] / frequencies[0])
    bins = np.minimum((places * _SPECTRUM_POINTS).astype(int), _SPECTRUM_POINTS - 1)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    counts = np.diff(np.append(starts, len(bins)))
    means = np.add.reduceat(frequencies, starts) / counts
    powers = [None if each is None else [_log(v) for v in np.add.reduceat(each.power[:whole], starts) / counts]
              for each in found]  # fmt: skip
    shown = [round(float(f), 2) for f in means]
    return {"frequencies": shown, "powers": powers, "last": float(frequencies[-1])}


def _log(value: float) -> float | None:
    return round(math.log10(value), 3) if value > 0 and math.isfinite(value) else None
