"""A surrogate as a co-simulation unit (FMI 2.0 or 3.0): see :mod:`surrogate_modeling.deployment.fmu.export`."""
