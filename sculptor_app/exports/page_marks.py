"""Marks of a page, and three hands that draw them: SVG, PDF (fpdf2) and Pillow.

Pictures keep their own pixels; all else are lines and text.
"""

from __future__ import annotations

import base64
import io
import logging
import math
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sculptor_app.core.colours import Paper
from sculptor_app.exports.animation.drawing import polyline
from sculptor_app.exports.files import resource

Bytes = NDArray[np.uint8]
Place = tuple[float, float]

WIDTH = 1200.0
"""Of the page, in its own unit: CSS pixels in SVG, three quarters of a point in PDF."""
_PT = 0.75
_TYPEFACES = {"": "styles/fonts/Inter-Regular.otf", "B": "styles/fonts/Inter-SemiBold.otf"}
"""Resources, by fpdf2's words for styles."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words on one line."""

    at: Place  # left, middle or right end of the base line
    words: str
    size: float
    ink: str
    anchor: str = "start"  # "start", "middle" or "end", as SVG calls them
    is_bold: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle."""

    at: Place
    width: float
    height: float
    ink: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: tuple[Place, ...]
    ink: str
    width: float
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle with the paper inside."""

    at: Place
    radius: float
    ink: str


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture (h, w, 3), stretched to a rectangle with its pixels crisp."""

    at: Place
    width: float
    height: float
    rgb: Bytes


Mark = Text | Box | Line | Ring | Picture


@dataclass(frozen=True, slots=True, eq=False)
class Poster:
    """A page with its marks, from the lowest to the topmost."""

    height: float
    paper: Paper
    marks: tuple[Mark, ...]
    title: str


def as_svg(poster: Poster, settings: str) -> str:
    """The poster as SVG, its settings in the metadata."""
    size = f'width="{WIDTH:.0f}" height="{poster.height:.1f}" viewBox="0 0 {WIDTH:.0f} {poster.height:.1f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Inter, Helvetica, Arial, sans-serif">',
        f"<title>{escape(poster.title)}</title>",
        f"<metadata>{escape(settings)}</metadata>" if settings else "",
        f'<rect width="100%" height="100%" fill="{poster.paper.paper}"/>',
        *(_svg_of(mark, poster.paper) for mark in poster.marks),
        "</svg>\n",
    ]
    return "\n".join(filter(None, parts))


def _svg_of(mark: Mark, paper: Paper) -> str:
    match mark:
        case Text():
            bold = ' font-weight="600"' if mark.is_bold else ""
            return (
                f'<text x="{mark.at[0]:.1f}" y="{mark.at[1]:.1f}" font-size="{mark.size:.1f}" fill="{mark.ink}" '
                f'text-anchor="{mark.anchor}"{bold}>{escape(mark.words)}</text>'
            )
        case Box():
            return (
                f'<rect x="{mark.at[0]:.1f}" y="{mark.at[1]:.1f}" width="{mark.width:.1f}" height="{mark.height:.1f}" '
                f'fill="{mark.ink}"/>'
            )
        case Line():
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
            dash = f' stroke-dasharray="{" ".join(f"{each:.1f}" for each in mark.dash)}"' if mark.dash else ""
            return (
                f'<polyline points="{points}" fill="none" stroke="{mark.ink}" stroke-width="{mark.width:.1f}"{dash}/>'
            )
        case Ring():
            return (
                f'<circle cx="{mark.at[0]:.1f}" cy="{mark.at[1]:.1f}" r="{mark.radius:.1f}" fill="{paper.paper}" '
                f'stroke="{mark.ink}" stroke-width="2"/>'
            )
        case Picture():
            png = base64.b64encode(_png(mark.rgb)).decode()
            return (
                f'<image x="{mark.at[0]:.1f}" y="{mark.at[1]:.1f}" width="{mark.width:.1f}" '
                f'height="{mark.height:.1f}" image-rendering="pixelated" preserveAspectRatio="none" '
                f'href="data:image/png;base64,{png}"/>'
            )


def as_pdf(poster: Poster, settings: str) -> bytes:
    """The poster as one page of PDF, its settings among the document's keywords."""
    from fpdf import FPDF  # not before it is needed

    logging.getLogger("fpdf").setLevel(logging.ERROR)  # it warns of letters that the typeface lacks
    logging.getLogger("fontTools").setLevel(logging.ERROR)

    pdf = FPDF(unit="pt", format=(WIDTH * _PT, poster.height * _PT))
    pdf.set_auto_page_break(False)
    pdf.set_title(poster.title)
    pdf.set_creator("Sculptor")
    if settings:
        pdf.set_keywords(settings)
    for style, file in _TYPEFACES.items():
        pdf.add_font("Inter", style, resource(file))
    pdf.add_page()
    pdf.set_fill_color(poster.paper.paper)
    pdf.rect(0, 0, WIDTH * _PT, poster.height * _PT, style="F")
    for mark in poster.marks:
        _draw_in_pdf(pdf, mark, poster.paper)
    return bytes(pdf.output())


def _draw_in_pdf(pdf: Any, mark: Mark, paper: Paper) -> None:
    left, top = mark.points[0] if isinstance(mark, Line) else mark.at
    match mark:
        case Text():
            pdf.set_font("Inter", "B" if mark.is_bold else "", mark.size * _PT)
            pdf.set_text_color(mark.ink)
            shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.anchor] * pdf.get_string_width(mark.words)
            pdf.text(left * _PT - shift, top * _PT, mark.words)
        case Box():
            pdf.set_fill_color(mark.ink)
            pdf.rect(left * _PT, top * _PT, mark.width * _PT, mark.height * _PT, style="F")
        case Line():
            pdf.set_draw_color(mark.ink)
            pdf.set_line_width(mark.width * _PT)
            dash = mark.dash
            with pdf.local_context():
                if dash:  # of a pattern with several strokes PDF's simple call has the first
                    pdf.set_dash_pattern(dash[0] * _PT, dash[1] * _PT)
                pdf.polyline([(x * _PT, y * _PT) for x, y in mark.points])
        case Ring():
            pdf.set_draw_color(mark.ink)
            pdf.set_fill_color(paper.paper)
            pdf.set_line_width(2 * _PT)
            radius = mark.radius * _PT
            pdf.ellipse(left * _PT - radius, top * _PT - radius, 2 * radius, 2 * radius, style="DF")
        case Picture():
            times = max(1, math.ceil(2 * mark.width / mark.rgb.shape[1]))  # else readers blur what is enlarged
            crisp = mark.rgb.repeat(times, 0).repeat(times, 1)
            pdf.image(io.BytesIO(_png(crisp)), left * _PT, top * _PT, mark.width * _PT, mark.height * _PT)


def as_image(poster: Poster, scale: float) -> Image.Image:
    """The poster in RGB, `scale` pixels for each of its units."""
    image = Image.new("RGB", (round(WIDTH * scale), round(poster.height * scale)), poster.paper.paper)
    draw = ImageDraw.Draw(image)
    for mark in poster.marks:
        left, top = (scale * each for each in (mark.points[0] if isinstance(mark, Line) else mark.at))
        match mark:
            case Text():
                anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
                draw.text((left, top), mark.words, mark.ink, inter(mark, scale), anchor=anchor)
            case Box():
                draw.rectangle((left, top, left + mark.width * scale, top + mark.height * scale), fill=mark.ink)
            case Line():
                ink = tuple(bytes.fromhex(mark.ink[1:]))
                points = [(x * scale, y * scale) for x, y in mark.points]
                dash = [each * scale for each in mark.dash]
                polyline(draw, points, (ink[0], ink[1], ink[2]), max(1, round(mark.width * scale)), dash)
            case Ring():
                radius = mark.radius * scale
                box = (left - radius, top - radius, left + radius, top + radius)
                draw.ellipse(box, fill=poster.paper.paper, outline=mark.ink, width=max(1, round(2 * scale)))
            case Picture():
                size = (max(1, round(mark.width * scale)), max(1, round(mark.height * scale)))
                way = Image.Resampling.NEAREST if size[0] >= mark.rgb.shape[1] else Image.Resampling.BOX
                image.paste(Image.fromarray(mark.rgb).resize(size, way), (round(left), round(top)))
    return image


def inter(mark: Text, scale: float) -> ImageFont.FreeTypeFont:
    """The window's own typeface, which has superscripts; Pillow's has none."""
    file = resource(_TYPEFACES["B" if mark.is_bold else ""])
    return ImageFont.truetype(str(file), max(6, round(mark.size * scale)))


def _png(rgb: Bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, "PNG")
    return file.getvalue()
