"""Samplers: the table of those on offer, and the noise levels and predictions of each family of schedulers."""
