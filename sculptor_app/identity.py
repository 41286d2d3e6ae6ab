"""Name, identifiers and description of the program, for menus, packages, settings and the About box."""

from sculptor_app import __version__
from sculptor_app.core.texts import translate

NAME = "Sculptor"
"""The program's name as a person reads it."""

COMMAND = "sculptor-app"
"""The command that starts it, and the name of its folders."""

APP_ID = "io.github.sculptor_app.Sculptor"
"""Reverse-DNS identifier: the start menu's entry, the AppStream component, the window's class and the icon's name."""

VERSION = __version__

SUMMARY = translate("About", "Watch a picture come out of noise")
"""At most 35 characters, no full stop: the start menu's second line."""

DESCRIPTION = (
    translate(
        "About",
        "Sculptor shows how a diffusion model turns pure noise into a picture, one reverse step at a time, the way a "
        "sculptor takes a figure out of a block: big decisions first, then structure, then refinement, then polish.",
    ),
    translate(
        "About",
        "What it says about a run is measured on that run: the noise level of every state, the picture that the model "
        "has in mind, what each step took off, and how much energy each frequency band holds. Scrub through the run, "
        "play it backwards, and save it as a GIF or as numbers.",
    ),
)
"""Paragraphs for the About box and for software centres."""

LICENCE = "MIT"
COPYRIGHT = "© 2026 the Sculptor authors"
