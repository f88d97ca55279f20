"""Values embedded in a page: JSON that cannot end its script element, and arrays as base64.

Shape letters: N curves, K points.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

# What ends a script element or a line of JavaScript, whatever quotes it is in.
ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
# Code of a value that is missing, and the largest code of one that is not.
MISSING, LARGEST = 0xFFFF, 0xFFFE

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def json_text(value: Json) -> Markup:
    """JSON for a script element of a page; numbers that are not finite are null."""
    text = json.dumps(finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(ESCAPES))


def finite(value: Json) -> Json:
    """The same value with null for numbers that are not finite, which JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    return value if isinstance(value, str) or not isinstance(value, Sequence) else [finite(inner) for inner in value]


def base64_text(content: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(content).decode("ascii")


def pack16(curves: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """Pack curves with 16 bits a value: ``low`` is code 0, ``high`` code 65534, and a missing value 65535.

    Differences of neighbours, the low and the high bytes apart, are what deflate makes small. ``unpack16`` of
    ``base.js`` reads them.

    Args:
        curves: (N, K); values that are not finite are missing, those outside of ``low`` and ``high`` at the edge.
        low: (N,).
        high: (N,).

    Returns:
        Deflated bytes as base64.
    """
    span = np.where(high > low, high - low, 1.0)[:, None]
    known = np.isfinite(curves)
    share = (np.where(known, curves, low[:, None]) - low[:, None]) / span
    codes = np.where(known, np.rint(np.clip(share, 0.0, 1.0) * LARGEST), MISSING).astype(np.uint16)
    steps = np.diff(codes, axis=1, prepend=np.uint16(0)).astype("<u2")
    planes = steps.ravel().view(np.uint8).reshape(-1, 2).T
    return base64_text(zlib.compress(planes.tobytes(), 6))


def unpack16(text: str, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Curves (N, K) that :func:`pack16` packed, to 1/65534 of their range; NaN where a value is missing."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1)
    steps = np.ascontiguousarray(planes.T).view("<u2").reshape(len(low), -1)
    codes = np.cumsum(steps, axis=1, dtype=np.uint16)
    span = np.where(high > low, high - low, 1.0)[:, None]
    return np.where(codes == MISSING, np.nan, low[:, None] + codes / LARGEST * span)
