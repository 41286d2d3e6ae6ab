"""The program without a window: one module per command. Torch is imported only when a run begins."""
