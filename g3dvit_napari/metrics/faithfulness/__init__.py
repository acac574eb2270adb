"""Does the network depend on what the map says it depends on?"""
