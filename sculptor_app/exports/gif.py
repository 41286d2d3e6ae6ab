"""A run as an animated GIF."""

from sculptor_app.exports.errors import ExportCancelled, ExportError
from sculptor_app.exports.gif_options import FRAME_NAMES, FRAMES, GifOptions

__all__ = ["FRAMES", "FRAME_NAMES", "ExportCancelled", "ExportError", "GifOptions"]
