"""Surrogate: a network with its scaling, names and units; free run, saving and loading, uncertainty band."""

from surrogate_modeling.surrogate.model import Surrogate

__all__ = ["Surrogate"]
