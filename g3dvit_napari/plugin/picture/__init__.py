"""What lies on the canvas: volumes, maps, letters, words, and how they are looked at."""
