"""Evaluation of models of rendered sculptures: classifier accuracy, Fréchet distance, nearest training pictures."""
