"""Latents made visible: a linear map to colours that costs nothing, and the decoding of any step.

`latent_map` and `decoded` need numpy alone, so that views can use them; the others need torch and run where the model
is.
"""
