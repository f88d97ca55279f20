"""Translate a PyTorch module to C or JavaScript: see :mod:`surrogate_modeling.deployment.c_code.translation`."""

from surrogate_modeling.deployment.c_code.builder import Constants, PackedConstants, TranslationError, c_array
from surrogate_modeling.deployment.c_code.dialects import JavaScript
from surrogate_modeling.deployment.c_code.translation import Function, translate

__all__ = ["Constants", "Function", "JavaScript", "PackedConstants", "TranslationError", "c_array", "translate"]
