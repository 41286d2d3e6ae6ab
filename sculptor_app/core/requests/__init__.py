"""What a person asks for, checked before a model is loaded, and the parameters that a model takes."""
