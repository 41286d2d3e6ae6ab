"""Plain records of a training run without torch: plan, events, reports, and the folder that keeps them."""
