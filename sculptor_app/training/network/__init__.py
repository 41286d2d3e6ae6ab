"""The network that learns: its architecture, its first weights, and the model folder that it becomes."""
