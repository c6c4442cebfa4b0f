"""Export of a detector's network as an ONNX graph, which onnxruntime runs without torch."""
