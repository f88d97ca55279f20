"""Export a surrogate as a page that runs it: see :mod:`surrogate_modeling.deployment.html.export`."""
