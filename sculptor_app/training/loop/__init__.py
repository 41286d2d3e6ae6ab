"""The training loop: steps, optimizer, checkpoints, reports, and the run that a window drives."""
