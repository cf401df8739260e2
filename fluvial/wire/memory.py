"""How much memory this machine has."""

from __future__ import annotations

import os


def memory_bytes() -> int:
    """Of all of it, free or not; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0
