"""A model for other programs: as a sentence-transformers folder, or as an ONNX graph."""
