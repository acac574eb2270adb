"""Backward passes under other rules: detached, scaled, or relevance itself."""
