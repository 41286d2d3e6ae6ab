"""What needs neither torch nor Qt: requests, pictures, trajectories. It may be imported before the first paint."""
