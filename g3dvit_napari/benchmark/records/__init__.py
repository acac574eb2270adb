"""What was measured, line by line: enough to rebuild every table without a network."""
