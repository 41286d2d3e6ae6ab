"""Running and observing diffusion models with torch and diffusers. Knows nothing of Qt.

Imports point one way: `studies` > `sampling` > `models`, `latents`, `observe` > `pipelines` > `samplers` > `core`.
"""
