"""The page that shows why one starts from noise: many runs from related noises, moved by one scrubber."""
