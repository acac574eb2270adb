"""Does the map lie where the signal is? These need a mask of it."""
