"""Audit: events become leaves of a hash-chained log whose tree heads are signed."""
