"""The GIF format: palettes, frames that hold only what changed, and the file."""
