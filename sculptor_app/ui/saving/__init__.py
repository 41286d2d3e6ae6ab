"""Saving a run, or a grid of runs, as files; and the GIF dialog."""
