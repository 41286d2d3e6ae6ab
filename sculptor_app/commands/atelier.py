"""`sculptor-app atelier`: a contact sheet of the rendered sculptures, and how fast they are rendered."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sculptor_app.core.texts import pictures_text


def add_parsers(subparsers: Any) -> None:
    """Add `atelier` with its own commands to the program's command line."""
    atelier = subparsers.add_parser("atelier", help="render the sculptures that the default model learns from")
    commands = atelier.add_subparsers(title="commands", metavar="COMMAND", required=True)
    sheet = commands.add_parser("sheet", help="write a contact sheet as a PNG and print how fast it was rendered")
    sheet.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PNG to write")
    sheet.add_argument("--seed", type=int, default=0, help="seed of the first picture (default 0)")
    sheet.add_argument("--size", type=int, default=64, help="edge of each picture in pixels (default 64)")
    sheet.add_argument("--columns", type=int, default=12, help="pictures in a row (default 12)")
    sheet.add_argument("--rows", type=int, default=8, help="rows; the forms take turns (default 8)")
    sheet.add_argument("--zoom", type=int, default=1, help="show every pixel as ZOOM x ZOOM (default 1)")
    sheet.add_argument("--device", default="cpu", help="where to render, as torch names it (default cpu)")
    sheet.set_defaults(run=write_sheet)


def write_sheet(arguments: argparse.Namespace) -> int:
    """Render the sheet, say how fast it was, and return the exit code."""
    import sys

    from sculptor_app.atelier.renderer import write_contact_sheet

    bounds = {"seed": (0, 2**62), "size": (8, 1024), "columns": (1, 64), "rows": (1, 64), "zoom": (1, 8)}
    for name, (low, high) in bounds.items():
        if not low <= getattr(arguments, name) <= high:
            print(f"--{name} is {getattr(arguments, name)}; choose {low} to {high}.", file=sys.stderr)
            return 2
    try:
        taken_ms = write_contact_sheet(
            arguments.out, arguments.size, arguments.columns, arguments.rows, arguments.seed, arguments.zoom,
            arguments.device,
        )  # fmt: skip
    except OSError as error:
        print(f"{arguments.out} could not be written ({error}). Choose another place with --out.", file=sys.stderr)
        return 5
    count = arguments.columns * arguments.rows
    print(f"{arguments.out}: {pictures_text(count)} of {arguments.size} pixels, {taken_ms:.1f} ms a picture")
    return 0
