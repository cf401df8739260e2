"""The registry: who signed what may stand in it, and how participants come into it."""
