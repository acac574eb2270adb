"""Class activation maps: features weighed by gradients, scores or nothing at all."""
