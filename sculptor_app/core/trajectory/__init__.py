"""Noise levels, phases, steps, and trajectories with their stores: the record of a run, read by everything above."""
