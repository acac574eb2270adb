"""The nouns: volumes, specs, grids and results. Numpy and scipy only; no torch, no Qt."""
