"""Scores and intervals: pure functions on arrays."""
