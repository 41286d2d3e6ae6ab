"""Sculptor: see how a diffusion model takes a picture out of pure noise, one reverse step at a time."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sculptor_app.core.errors import SculptorError
    from sculptor_app.recording import RecordedRun, Recording, record

__all__ = ["RecordedRun", "Recording", "SculptorError", "record"]
__version__ = "0.1.0"

# Before any of them is imported: huggingface_hub, diffusers and transformers report nothing of their use to anybody.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def __getattr__(name: str) -> Any:
    if name == "SculptorError":
        from sculptor_app.core.errors import SculptorError

        return SculptorError
    if name in __all__:
        from sculptor_app import recording  # torch comes with it

        return getattr(recording, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
