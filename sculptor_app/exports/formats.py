"""Export formats: one row for each kind of file that a run, or a grid of runs, is saved as.

The command line, the window and the tests read this table; a new format is a row here and a module that writes it.
Importing it needs neither numpy nor Pillow: a format's module is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from sculptor_app.core.texts import translate
from sculptor_app.exports.animation.options import USUAL, AnimationOptions, Disclosure
from sculptor_app.exports.files import Progress, refuse_folder

if TYPE_CHECKING:
    from sculptor_app.exports.animation.plan import DecodedFrames, RunOrGrid
    from sculptor_app.measures.run_measures import RunMeasures

Kind = Literal["animation", "still", "table", "run"]
"""What a file holds: all states one after the other, one of them, the numbers of all, or everything recorded."""

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "animation": translate("names", "Animation"),
        "film": translate("names", "Film"),
        "web-page": translate("names", "Web page"),
        "poster": translate("names", "Poster"),
        "pictures": translate("names", "Pictures"),
    }
)
"""What a person wants to have, in the order in which it is offered: English names by their words. Each of them is one
or more kinds of file."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written."""

    source: RunOrGrid  # the run or runs; they may still grow, what comes later is left out
    options: AnimationOptions = field(default_factory=AnimationOptions)  # of animations and stills
    state: int = 0  # the one that a still or a preview shows
    measures: RunMeasures | None = None  # a run's band energies; None has them measured where they are needed
    progress: Progress | None = None  # called after every frame of an animation, and every state of a grid's table
    stop: Event | None = None  # set to give up before the next one
    decoded: DecodedFrames | None = None  # what was decoded of runs in latents; the rest is seen through their map
    disclosure: Disclosure = Disclosure.NAMES
    is_compact: bool = False  # of a saved run: frames rounded to half the size


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A kind of file.

    Attributes:
        write: makes or replaces the file; whole or untouched, whatever happens. Raises ExportError where it cannot be
            written or there is nothing to show, ExportCancelled where it was stopped.
        sheet_px: longer side up to which the pictures of a grid are made larger unless a person says otherwise; 0 for
            what is no picture.
    """

    id: str  # short name, as in file names' endings
    label: str  # English name, marked for translation
    kind: Kind  # what it holds
    write: Callable[[Path, Export], None]
    sheet_px: int = 0
    ending: str = ""  # of its files' names, where that is not the id
    spoken: str = ""  # how a choice of formats calls it, where that is not the id, as "WebP"; English, marked likewise

    @property
    def short_name(self) -> str:
        """The name that a choice of formats shows, as "GIF"; English."""
        return self.spoken or self.id.upper()

    @property
    def suffix(self) -> str:
        """The ending of its files, as ".gif"."""
        return f".{self.ending or self.id}"

    def named(self, path: Path) -> Path:
        """The path with the ending of this format, added where it has another or none; `ExportError` for a folder's."""
        refuse_folder(path)
        return path if path.suffix.lower() == self.suffix else path.with_name(path.name + self.suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationFormat(ExportFormat):
    """A kind of file that shows all states one after the other.

    Attributes:
        preview: one frame as a picture file that Qt reads (GIF, PNG), made by the same means as the whole: the export's
            state, or else the nearest that is shown. Raises ExportError where there is nothing to show.
        estimate_bytes: about how large the file becomes. Raises ExportError where there is nothing to show,
            ExportCancelled where it was stopped.
        hides: names of options that make no difference to its files.
        is_page: whether it shows one page, laid out as one of LAYOUTS.
        group: what a person has with it, one of GROUPS.
        enlarges: whether the pictures of a run become larger than they are where a greater size is asked for; else the
            page does so on screen, and a size only makes them smaller.
        holds: what else a run's file has, where the preview shows its pictures alone; English, marked likewise.
        holds_of_many: the same of many runs.
    """

    kind: Kind = field(default="animation", init=False)
    preview: Callable[[Export], bytes]
    estimate_bytes: Callable[[Export], int]
    hides: frozenset[str] = frozenset()
    is_page: bool = False
    group: str = "animation"
    enlarges: bool = True
    holds: str = ""
    holds_of_many: str = ""


def _write_gif(path: Path, export: Export) -> None:
    from sculptor_app.exports.gif.writer import write_gif

    write_gif(
        path, export.source, export.measures, export.options, export.progress, export.stop, export.decoded,
        export.disclosure,
    )  # fmt: skip


def _preview_gif(export: Export) -> bytes:
    from sculptor_app.exports.gif.writer import preview_gif

    return preview_gif(export.source, export.measures, export.options, export.state, export.disclosure)


def _estimate_gif(export: Export) -> int:
    from sculptor_app.exports.gif.writer import estimate_bytes

    return estimate_bytes(export.source, export.measures, export.options, export.stop)


def _write_html(path: Path, export: Export) -> None:
    from sculptor_app.exports.page import write_page

    write_page(
        path, export.source, export.measures, export.options, export.progress, export.stop, export.decoded,
        export.disclosure,
    )  # fmt: skip


def _preview_html(export: Export) -> bytes:
    from sculptor_app.exports.page import preview_page

    return preview_page(export.source, export.measures, export.options, export.state, export.disclosure)


def _estimate_html(export: Export) -> int:
    from sculptor_app.exports.page import estimate_page_bytes

    return estimate_page_bytes(export.source, export.measures, export.options, export.stop)


def _film(id: str, label: str, spoken: str, *hides: str, group: str = "film") -> AnimationFormat:
    """A row of a kind of film, or of an animation that is made as one."""

    def write(path: Path, export: Export) -> None:
        from sculptor_app.exports.film import write_film

        write_film(
            path, export.source, export.measures, export.options, export.progress, export.stop, export.decoded,
            export.disclosure, id,
        )  # fmt: skip

    def preview(export: Export) -> bytes:
        from sculptor_app.exports.film import preview_film

        return preview_film(export.source, export.measures, export.options, export.state, export.disclosure, id)

    def estimate(export: Export) -> int:
        from sculptor_app.exports.film import estimate_film_bytes

        return estimate_film_bytes(export.source, export.measures, export.options, export.stop, id)

    return AnimationFormat(
        id, label, write, sheet_px=900, spoken=spoken, preview=preview, estimate_bytes=estimate,
        hides=frozenset(hides), group=group,
    )  # fmt: skip


def _poster(id: str, label: str, kind: str = "") -> AnimationFormat:
    """A row of a kind of page.

    Args:
        kind: that `write_poster` knows, and the ending of its files, where that is not the id.
    """
    kind = kind or id

    def write(path: Path, export: Export) -> None:
        from sculptor_app.exports.poster import write_poster

        write_poster(
            path, export.source, export.measures, export.options, export.progress, export.stop, export.decoded,
            export.disclosure, kind,
        )  # fmt: skip

    def preview(export: Export) -> bytes:
        from sculptor_app.exports.poster import preview_poster

        return preview_poster(export.source, export.measures, export.options, export.state, export.disclosure)

    def estimate(export: Export) -> int:
        from sculptor_app.exports.poster import estimate_poster_bytes

        return estimate_poster_bytes(export.source, export.measures, export.options, export.stop, kind)

    hides = frozenset({"every", "delay_ms", "hold_ms", "loop", "ping_pong", "caption", "plot", "full_colour"})
    return AnimationFormat(
        id, label, write, sheet_px=300, ending=kind, spoken=kind.upper(), preview=preview, estimate_bytes=estimate,
        hides=hides, is_page=True, group="poster", enlarges=False,
    )  # fmt: skip


def _write_zip(path: Path, export: Export) -> None:
    from sculptor_app.exports.film import write_pngs

    write_pngs(
        path, export.source, export.measures, export.options, export.progress, export.stop, export.decoded,
        export.disclosure,
    )  # fmt: skip


def _preview_zip(export: Export) -> bytes:
    from sculptor_app.exports.film import preview_png

    return preview_png(export.source, export.measures, export.options, export.state, export.disclosure)


def _estimate_zip(export: Export) -> int:
    from sculptor_app.exports.film import estimate_png_bytes

    return estimate_png_bytes(export.source, export.measures, export.options, export.stop)


def _write_png(path: Path, export: Export) -> None:
    """The picture of one state; a page where a layout is asked for."""
    if export.options.layout != USUAL:
        FORMATS["png-page"].write(path, export)
        return
    from sculptor_app.exports.stills import write_png

    write_png(path, export.source, export.state, export.options, export.decoded, export.measures, export.disclosure)


def _write_csv(path: Path, export: Export) -> None:
    from sculptor_app.exports.numbers import write_csv

    write_csv(path, export.source, export.measures, export.progress, export.stop, export.disclosure)


def _write_parquet(path: Path, export: Export) -> None:
    from sculptor_app.exports.numbers import write_parquet

    write_parquet(path, export.source, export.measures, export.progress, export.stop, export.disclosure)


def _write_sculpt(path: Path, export: Export) -> None:
    from sculptor_app.exports.saved_run import write_sculpt

    write_sculpt(path, export.source, export.is_compact, export.progress, export.stop, export.disclosure)


FORMATS: dict[str, ExportFormat] = {
    row.id: row
    for row in (
        AnimationFormat(
            "gif", translate("names", "GIF animation"), _write_gif, sheet_px=900,
            preview=_preview_gif, estimate_bytes=_estimate_gif, hides=frozenset({"full_colour"}),
        ),
        _film("webp", translate("names", "Animated WebP"), "WebP", group="animation"),
        _film("apng", translate("names", "Animated PNG"), "APNG", "full_colour", group="animation"),
        _film("mp4", translate("names", "MP4 film"), "MP4", "loop"),
        _film("webm", translate("names", "WebM film"), "WebM", "loop"),
        AnimationFormat(
            "html", translate("names", "Web page"), _write_html, sheet_px=900,
            preview=_preview_html, estimate_bytes=_estimate_html, hides=frozenset({"caption", "plot", "full_colour"}),
            group="web-page", enlarges=False,
            holds=translate(
                "names", "The page has these pictures of the steps, a scrubber to play them, the phases, both plots "
                "and a glossary. It needs no network."),
            holds_of_many=translate(
                "names", "The page has these pictures of the steps, a scrubber to play them, the phases and a "
                "glossary. It needs no network."),
        ),
        _poster("svg", translate("names", "SVG page")),
        _poster("pdf", translate("names", "PDF page")),
        _poster("png-page", translate("names", "PNG page"), "png"),
        AnimationFormat(
            "zip", translate("names", "PNG pictures in a ZIP"), _write_zip, sheet_px=900,
            spoken=translate("names", "PNG in a ZIP"), preview=_preview_zip, estimate_bytes=_estimate_zip,
            hides=frozenset({"loop", "full_colour"}), group="pictures",
        ),
        ExportFormat("png", translate("names", "PNG picture"), "still", _write_png, sheet_px=2000),
        ExportFormat("csv", translate("names", "Comma-separated values"), "table", _write_csv),
        ExportFormat("parquet", translate("names", "Parquet table"), "table", _write_parquet),
        ExportFormat("sculpt", translate("names", "Saved run"), "run", _write_sculpt),
    )
}  # fmt: skip
"""All formats by id; of a kind the first is the one that is offered first."""


def picture_formats() -> tuple[ExportFormat, ...]:
    """Those that show what a run looks like, one for each ending of a file's name."""
    of_its_own = (row for row in FORMATS.values() if row.id == row.suffix[1:])
    return tuple(row for row in of_its_own if row.kind in ("animation", "still"))


def table_formats() -> tuple[ExportFormat, ...]:
    """Those that hold numbers."""
    return tuple(row for row in FORMATS.values() if row.kind == "table")


def table_format(path: Path) -> ExportFormat:
    """The format of numbers that a path's ending names; CSV where it names none."""
    return next((row for row in table_formats() if row.suffix == path.suffix.lower()), FORMATS["csv"])


def settings_suffixes() -> tuple[str, ...]:
    """Endings of the files that can say what they were made with: those of pictures, and of other programs' photos."""
    return (*(row.suffix for row in picture_formats()), ".jpg", ".jpeg")


def animation_formats() -> tuple[AnimationFormat, ...]:
    """Those that show all states one after the other."""
    return tuple(row for row in FORMATS.values() if isinstance(row, AnimationFormat))


def picture_format(path: Path) -> ExportFormat | None:
    """The picture format that a path's ending names, in capitals or not; None where it names none of them."""
    return next((row for row in picture_formats() if row.suffix == path.suffix.lower()), None)
