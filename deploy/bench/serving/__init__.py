"""Serving under an open-loop load: the stage inference, and the same model behind plain FastAPI and torch."""
