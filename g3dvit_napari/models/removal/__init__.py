"""Volumes taken apart, and what the network says on the way: the torch behind `Network`."""
