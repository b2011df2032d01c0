"""Data sets: reading, describing, splitting."""
