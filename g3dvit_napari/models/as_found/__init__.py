"""Whatever is done to a network for a while is undone here."""
