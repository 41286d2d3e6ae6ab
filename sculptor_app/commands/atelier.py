"""`sculptor-app atelier`: a contact sheet of the rendered sculptures, and how fast they are rendered."""

from __future__ import annotations

import argparse
from typing import Any

from sculptor_app.commands.saving import code_of, refused
from sculptor_app.commands.terminal import DONE, file_path, say, stderr, stdout, stop_on_signal, whole_number
from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.requests.request import MAX_SEED
from sculptor_app.core.texts import pictures_text
from sculptor_app.exports.files import OptionError, check_target, refuse_folder, replacing

MOST_PIXELS = 1 << 26
"""Pixels of a sheet; rendering takes about 50 bytes for each."""


def add_parsers(subparsers: Any) -> None:
    """Add `atelier` with its own commands to the program's command line."""
    atelier = subparsers.add_parser("atelier", help="render the sculptures that the default model learns from")
    commands = atelier.add_subparsers(title="commands", metavar="COMMAND", required=True)
    sheet = commands.add_parser("sheet", help="write a contact sheet as a PNG and print how fast it was rendered")
    sheet.add_argument("--out", type=file_path, required=True, metavar="FILE", help="the PNG to write")
    sheet.add_argument("--seed", type=whole_number("seed", 0, MAX_SEED - 64 * 64), default=0, metavar="N",
                       help="seed of the first picture (0)")  # fmt: skip
    sheet.add_argument("--size", type=whole_number("size", 8, 1024), default=64, metavar="N",
                       help="edge of each picture in pixels (64)")  # fmt: skip
    sheet.add_argument("--columns", type=whole_number("number of columns", 1, 64), default=12, metavar="N",
                       help="pictures in a row (12)")  # fmt: skip
    sheet.add_argument("--rows", type=whole_number("number of rows", 1, 64), default=8, metavar="N",
                       help="rows; the forms take turns (8)")  # fmt: skip
    sheet.add_argument("--zoom", type=whole_number("zoom", 1, 8), default=1, metavar="N",
                       help="show every pixel as N x N (1)")  # fmt: skip
    sheet.add_argument("--device", default="cpu", metavar="NAME", help="auto, cpu, cuda, cuda:0, mps (cpu)")
    sheet.set_defaults(run=write_sheet)


def write_sheet(arguments: argparse.Namespace) -> int:
    """Render the sheet, say how fast it was, and return the exit code; target and device are checked first."""
    try:
        _check(arguments)
        from sculptor_app.atelier import compiled
        from sculptor_app.atelier.renderer import contact_sheet  # torch takes seconds to import
        from sculptor_app.diffusion.pipelines.devices import find_device

        device = find_device(arguments.device)
        if sentence := compiled.notice(device.id):
            say(sentence, stderr())
        with stop_on_signal() as interruption:
            sheet, taken_ms = contact_sheet(
                arguments.size, arguments.columns, arguments.rows, arguments.seed, arguments.zoom, device.id,
                interruption.event,
            )  # fmt: skip
            with replacing(arguments.out) as file:
                sheet.save(file, "PNG")
    except Cancelled:
        return refused("Interrupted; nothing was written.", interruption.code)
    except SculptorError as error:
        return refused(error, code_of(error))
    count = arguments.columns * arguments.rows
    say(f"{arguments.out}: {pictures_text(count)} of {arguments.size} pixels, {taken_ms:.1f} ms a picture", stdout())
    return DONE


def _check(arguments: argparse.Namespace) -> None:
    refuse_folder(arguments.out)
    if arguments.out.suffix.lower() != ".png":
        raise OptionError(f"{arguments.out} is no .png.", "Choose such a name.")
    pixels = arguments.columns * arguments.rows * (arguments.size * arguments.zoom) ** 2
    if pixels > MOST_PIXELS:
        raise OptionError(
            f"The sheet would have {pixels / 1e6:.0f} million pixels.",
            f"Choose fewer pictures, or smaller ones: {MOST_PIXELS / 1e6:.0f} million are the most.",
        )
    check_target(arguments.out)
