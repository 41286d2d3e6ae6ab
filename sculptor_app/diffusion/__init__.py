"""Watching a diffusion model: noise levels, steps, trajectories, loading and sampling. Knows nothing of Qt.

The records (`level`, `step`, `phases`, `request`, `trajectory`) need numpy alone, so that a window can be built on them
before torch is imported; `pipeline`, `loading`, `observer` and `engine` need torch and diffusers.
"""
