"""The frequency-energy plots. Importing a plot imports pyqtgraph, so the window does it after its first paint."""
