"""Sculptor: see how a diffusion model takes a picture out of pure noise, one reverse step at a time."""

import os

__version__ = "0.1.0"

# Before any of them is imported: huggingface_hub, diffusers and transformers report nothing of their use to anybody.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
