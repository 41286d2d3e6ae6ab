"""One run of a loaded model: the call, its trajectory, and snapshots that a fork can start from."""
