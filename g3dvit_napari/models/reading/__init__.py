"""From the weights in a checkpoint to a network and its spec."""
