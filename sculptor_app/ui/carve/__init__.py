"""The page that samples a model step by step: settings, Start and Stop, frames, and decoding of latents."""
