"""Models of the Hugging Face hub: the cache on this computer, and downloads into it."""
