"""What the program is doing right now: current trajectory, current step, playback, worker threads. QtCore only."""
