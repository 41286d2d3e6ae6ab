"""Widgets. They render the session's state and ask it for changes by signal; they never import torch."""
