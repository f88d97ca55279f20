"""A PyTorch module as plain C: see :mod:`surrogate_modeling.c_code.translation`."""

from surrogate_modeling.c_code.translation import CFunction, CTranslationError, translate

__all__ = ["CFunction", "CTranslationError", "translate"]
