"""Application state without widgets: current trajectory and step, playback, runs in worker threads. QtCore only."""
