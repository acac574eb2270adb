"""Every row on every column: methods and controls, judged by metrics, kept line by line."""
