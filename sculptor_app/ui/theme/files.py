"""Where icons and styles lie."""

from pathlib import Path

from sculptor_app import resources


def icon_file(name: str) -> Path:
    """The SVG of an icon by its name without ending; raises ResourceError (a FileNotFoundError) where there is none."""
    return resources.path(f"icons/{name}.svg")


def style_file(name: str) -> Path:
    """A file or folder of resources/styles; raises ResourceError where there is none."""
    return resources.path(f"styles/{name}")
