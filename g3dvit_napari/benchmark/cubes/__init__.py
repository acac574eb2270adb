"""Cubes: the published grid of tasks, completed by noise, distractors and harder questions."""
