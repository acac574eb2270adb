"""The anatomy of a network that is not ours, found by behaviour."""
