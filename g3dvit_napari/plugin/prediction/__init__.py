"""The prediction, always in sight: one bar per class, and a click explains a class."""
