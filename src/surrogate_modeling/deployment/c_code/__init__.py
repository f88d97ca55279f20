"""Translate a PyTorch module to plain C: see :mod:`surrogate_modeling.deployment.c_code.translation`."""

from surrogate_modeling.deployment.c_code.builder import Constants, CTranslationError, c_array
from surrogate_modeling.deployment.c_code.translation import CFunction, translate

__all__ = ["CFunction", "CTranslationError", "Constants", "c_array", "translate"]
