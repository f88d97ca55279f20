"""Use of a finished surrogate: loading, prediction, stepping, export to ONNX, FMU and C."""
