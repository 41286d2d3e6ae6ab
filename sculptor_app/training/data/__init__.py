"""Training sets: shards of rendered sculptures, and folders of a person's own pictures."""
