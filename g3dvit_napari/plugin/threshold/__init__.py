"""How much of a map is shown."""
