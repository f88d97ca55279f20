"""Schedules that serve an objective best and keep bounds, found by gradients through a surrogate's free run."""
