"""Attention and its gradients through all layers, without keeping a square of tokens."""
