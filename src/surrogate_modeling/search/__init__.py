"""Searches with Optuna behind Hydra's ``-m``.

Read in this order: ``settings`` (the keys under hydra.sweeper), ``space`` (overrides to ranges and back),
``samplers`` (one distinct point per trial), ``study`` (storage, claims, dead trials), ``workers`` (who is alive),
``sweep`` (the loop), ``results`` and ``pictures`` (what a search leaves), ``parent`` (its run in MLflow), ``trial``
(the side of a trial), ``dashboard``.
"""
