"""What pages that play a run back have in common: page, frames, presenter, run panel and texts."""
