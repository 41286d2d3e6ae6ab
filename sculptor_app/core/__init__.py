"""Requests, pictures, trajectories: all that needs neither torch nor Qt and may be imported before the first paint."""
