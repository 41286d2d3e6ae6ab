"""Sculptor: see how a diffusion model takes a picture out of pure noise, one reverse step at a time."""

__version__ = "0.1.0"
