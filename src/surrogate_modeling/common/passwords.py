"""Hide passwords in addresses (URLs)."""

from __future__ import annotations

import re

HIDDEN = "***"
# A password ends at the last @ before a blank or a quote: some drivers accept / and @ in it unescaped.
IN_ADDRESS = re.compile(r"(?P<kept>[a-zA-Z][\w+.-]*://[^\s:/@'\"]*:)[^\s'\"]+@")
IN_QUERY = re.compile(r"(?P<kept>[?&](?:\w*password|passwd|pwd|token)=)[^&\s'\"]+", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """The text with ``***`` for each password in an address, ``scheme://user:password@host`` or ``?password=...``.

    Args:
        text: anything that is to be written, logged or shown.
    """
    if "://" not in text:
        return text
    return IN_QUERY.sub(rf"\g<kept>{HIDDEN}", IN_ADDRESS.sub(rf"\g<kept>{HIDDEN}@", text))


def has_password(text: str) -> bool:
    """Whether a text holds a password that :func:`without_passwords` would hide."""
    return without_passwords(text) != text
