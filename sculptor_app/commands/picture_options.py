"""The picture that a command begins with: a file, or a sculpture that is rendered for it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sculptor_app.commands.parsing import OneOf, whole_number
from sculptor_app.core.requests.request import FORMS, MATERIALS, MAX_SEED
from sculptor_app.exports.errors import OptionError

if TYPE_CHECKING:
    from sculptor_app.core.pictures.opening import OpenedPicture


def add_picture(group: argparse._ArgumentGroup) -> None:
    """Add the file, and what is rendered instead."""
    group.add_argument("picture", type=Path, nargs="?", metavar="PICTURE",
                       help="a file that holds a picture; its middle is brought to the model's size")  # fmt: skip
    group.add_argument("--render", action=OneOf, known=FORMS, name="form",
                       help="or: a sculpture, rendered for this")  # fmt: skip
    group.add_argument("--render-material", action=OneOf, known=MATERIALS, name="material",
                       help="of the sculpture (marble)")  # fmt: skip
    group.add_argument("--render-seed", type=whole_number("seed", 0, MAX_SEED), metavar="N",
                       help="of the sculpture (7)")  # fmt: skip


def check_picture(arguments: argparse.Namespace) -> None:
    """Refuse what can be seen to be wrong before a file is opened.

    Raises:
        OptionError: there is no picture or too much of one, or a file to save is the picture itself.
    """
    if arguments.picture is None and arguments.render is None:
        raise OptionError("There is no picture.", "Name a PICTURE, or add --render FORM.")
    if arguments.picture is not None and arguments.render is not None:
        raise OptionError("There are a PICTURE and --render.", "Choose one of them.")
    for option in ("material", "seed"):
        if arguments.render is None and getattr(arguments, f"render_{option}") is not None:
            raise OptionError(f"--render-{option} is that of a sculpture.", "Add --render FORM, or leave it out.")
    for path in (arguments.out, arguments.csv):
        if path is not None and arguments.picture is not None and path.resolve() == arguments.picture.resolve():
            raise OptionError(f"{path} is the picture itself.", "Choose another name to save under.")


def given_picture(arguments: argparse.Namespace, square_px: int) -> OpenedPicture:
    """The picture as a square of this size.

    Raises:
        PictureError: the file holds none that can be used.
    """
    if arguments.render is not None:
        seed = 7 if arguments.render_seed is None else arguments.render_seed
        return rendered(arguments.render, arguments.render_material, seed, square_px)
    from sculptor_app.core.pictures.opening import open_picture  # numpy and Pillow come with it

    return open_picture(arguments.picture, square_px=square_px)


def rendered(form: str, material: str | None, seed: int, size_px: int) -> OpenedPicture:
    """A sculpture; marble if the material is not said."""
    from sculptor_app.atelier.renderer import render  # torch takes seconds to import
    from sculptor_app.core.pictures.opening import OpenedPicture

    material = material or MATERIALS[0]
    picture = render([seed], [FORMS.index(form)], [MATERIALS.index(material)], size_px)[0]
    return OpenedPicture(picture.numpy(), f"{form} · {material}", (size_px, size_px), ())
