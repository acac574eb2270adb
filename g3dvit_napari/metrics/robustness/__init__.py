"""Does a map account for what the network does, and stay where the input hardly changes?"""
