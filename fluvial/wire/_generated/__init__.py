"""Code written by `python -m schemas.generate`."""
