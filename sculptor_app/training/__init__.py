"""Learning the default model, or a model of a person's own pictures. Qt-free."""
