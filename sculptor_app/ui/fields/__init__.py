"""Input fields for the parameters of a run."""
