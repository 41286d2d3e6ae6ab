"""Latents of a picture: codec, linear colour map, tiny decoders, and the worker's jobs on them."""
