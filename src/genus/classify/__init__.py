"""Feature vectors in, class probabilities out."""
