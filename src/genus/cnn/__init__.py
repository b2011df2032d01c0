"""Convolutional networks, in PyTorch: the extra `cnn`."""
