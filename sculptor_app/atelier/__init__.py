"""The atelier: rendered sculptures that the default model learns from. Qt-free, torch on CPU or GPU.

Everything in a picture is a pure function of (seed, form, material).
"""

from sculptor_app.atelier.labels import FORMS, MATERIALS
from sculptor_app.atelier.renderer import render

__all__ = ["FORMS", "MATERIALS", "render"]
