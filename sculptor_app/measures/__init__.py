"""Pure functions from arrays to numbers and pictures: spectra, bands, chips, measured phases. Numpy only."""
