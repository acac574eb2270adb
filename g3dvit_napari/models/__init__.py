"""The networks, and what a method may ask of them."""
