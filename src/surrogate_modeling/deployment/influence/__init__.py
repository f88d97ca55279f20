"""Which control matters: sensitivities along trajectories, steady-state gains and time constants of a surrogate."""
