"""From records to figures, for which matplotlib is needed."""
