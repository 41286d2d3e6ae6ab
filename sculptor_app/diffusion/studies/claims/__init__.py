"""Tests of published findings on runs of the model at hand and their forks; `measure` has them all."""
