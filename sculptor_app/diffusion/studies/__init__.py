"""Runs made of runs: forks, grids of many runs, and DDIM inversion."""
