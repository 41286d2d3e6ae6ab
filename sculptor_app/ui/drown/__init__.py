"""The page where a picture drowns in static, and comes back."""
