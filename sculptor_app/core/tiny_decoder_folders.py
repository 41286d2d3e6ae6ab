"""Where small decoders lie; without torch, so that a menu can list them."""

from pathlib import Path

NAMES = ("taesd", "taesdxl", "taesd3", "taef1", "vae_tiny")
"""Folders that are looked for inside a model's folder and beside it."""


def find_small_decoders(model_folder: Path) -> tuple[Path, ...]:
    """Folders of small decoders inside a model's folder or beside it, by name; what is in them is not looked at.

    Args:
        model_folder: Of the model.
    """
    places = [folder / name for folder in (model_folder, model_folder.parent) for name in NAMES]
    return tuple(place for place in places if (place / "config.json").is_file())
