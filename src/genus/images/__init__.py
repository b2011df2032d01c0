"""Pictures: decoding, pre-processing, perceptual hashes."""
