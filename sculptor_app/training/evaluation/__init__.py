"""How good a model of the atelier's sculptures is: what a classifier reads off its samples, how far they are off."""
