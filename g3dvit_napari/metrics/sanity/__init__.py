"""Does a map depend on what the network has learned, and on the class? Necessary, never a rank."""
