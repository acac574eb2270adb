"""One image's pass through a network, and what methods may read from it."""
