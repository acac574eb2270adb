"""Feature maps: their weights, their main component, their enlargement."""
