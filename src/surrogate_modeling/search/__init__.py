"""Searches with Optuna behind Hydra's ``-m``.

Read in this order: ``settings`` (the keys under hydra.sweeper), ``space`` (overrides to ranges and back), ``problem``
(what makes trials comparable), ``sampler_schemas`` and ``samplers`` (one distinct point per trial), ``storage`` and
``study`` (claims, dead trials), ``workers`` (who is alive), ``sweep`` and ``launch`` (the loop), ``record``,
``results`` and ``pictures`` (what a search leaves), ``trial``, ``pruning`` and ``gpus`` (a trial's side),
``dashboard``.
"""
