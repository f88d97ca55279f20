"""Export a surrogate as an FMU for co-simulation: see :mod:`surrogate_modeling.deployment.fmu.export`."""
