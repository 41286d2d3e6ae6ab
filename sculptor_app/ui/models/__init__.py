"""Choosing, downloading and opening a model, and the reasons why one is refused."""
