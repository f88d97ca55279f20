"""Fit a surrogate with Lightning: windows, training step, callbacks, checkpoints, ensembles, stack, baselines."""
