"""The shell: explain, inspect, methods, doctor, demo. What is heavy loads inside the commands."""

from g3dvit_napari.cli.app import app, main

__all__ = ["app", "main"]
