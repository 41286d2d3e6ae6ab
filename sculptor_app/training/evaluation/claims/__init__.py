"""Tests of published findings about many samples: their distance to renders, as a judge measures it; see `measure`."""
