"""The last results: back to one and forth again, without the network."""
