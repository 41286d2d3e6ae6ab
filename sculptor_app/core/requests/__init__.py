"""Requests of runs, checked before a model is loaded, the parameters that a model takes, and the table of samplers."""
