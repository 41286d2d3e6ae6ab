"""Choosing, downloading and opening a model, and what is said of one that is refused."""
