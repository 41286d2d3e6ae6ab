"""The training loop: steps, optimizer, checkpoints, statistics, samples, and the run that a window drives."""
