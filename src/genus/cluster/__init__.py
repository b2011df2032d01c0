"""From features to groups: clustering algorithms, their comparison, and what a person wants to know of a group."""
