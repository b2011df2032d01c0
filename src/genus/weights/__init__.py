"""Arrays out of packaged weight files."""
