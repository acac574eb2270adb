"""Is it true? Metrics of the map on show, beside chance, and what they come to in a sentence."""
