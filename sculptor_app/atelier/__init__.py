"""The atelier: rendered sculptures that the default model learns from. Qt-free.

On a CPU compiled kernels render them, on a GPU torch. Everything in a picture is a pure function of (seed, form,
material). `render` is looked up on first use, so that the labels and the command line cost no import of torch.
"""

from typing import TYPE_CHECKING, Any

from sculptor_app.core.requests.request import FORMS, MATERIALS

if TYPE_CHECKING:
    from sculptor_app.atelier.renderer import render

__all__ = ["FORMS", "MATERIALS", "render"]


def __getattr__(name: str) -> Any:
    if name != "render":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sculptor_app.atelier.renderer import render

    return render
