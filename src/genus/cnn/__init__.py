"""Convolutional networks in PyTorch: made, trained and written as ONNX. Needs the extra `cnn`."""
