"""The page where a picture drowns in noise, and comes back."""
