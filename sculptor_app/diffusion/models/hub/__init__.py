"""Models of the Hugging Face hub: the cache on this computer, what a download would mean, and the download."""
