"""Relevance shared out backwards, layer by layer, so that it adds up."""
