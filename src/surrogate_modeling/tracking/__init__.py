"""Record runs in MLflow, and save a surrogate as an MLflow model; the only package that imports MLflow."""
