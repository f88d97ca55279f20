"""What needs a finished surrogate only: loading, prediction, stepping, ONNX, FMU and C."""
