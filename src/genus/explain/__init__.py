"""Looking into a model: where in an image the evidence for a class is."""
