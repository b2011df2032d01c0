"""Which rows of numbers are like others, among many: exact and approximate search, tuned distances."""
