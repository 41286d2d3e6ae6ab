"""Samplers made of diffusers' schedulers, and the noise levels and predictions of each family of schedulers."""
