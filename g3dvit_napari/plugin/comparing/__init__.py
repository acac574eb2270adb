"""Several explanations of one volume, side by side."""
