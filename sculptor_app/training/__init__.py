"""Training of the default model, or of a model of a person's own pictures, and its evaluation."""
