"""The record of a run in MLflow, and a surrogate as an MLflow model: the only room that imports MLflow."""
