"""Embedded simulator of an automotive refrigerant circuit.

Read in this order: ``columns`` (what a case holds), ``properties`` (fluid tables), ``layout`` (indices and
sizes), ``components`` (correlations and machines), ``exchangers``, ``circuit`` (right-hand side),
``integrator`` (time stepping with the control unit), ``schedules`` (inputs of a case), ``case`` (one case),
``generation`` (cases on disk), ``checks`` (validation). Equations and sources are in this folder's README.

Importing this package, ``columns`` or ``generation`` loads neither CoolProp nor numba.
"""
