"""Media types of signed payloads: each names a record and its version, never something generic."""

import re


def media_type(record: type) -> str:
    """For ModelUpdate: application/vnd.fluvial.model-update.v1+avro."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", record.__name__).lower()
    return f"application/vnd.fluvial.{name}.v1+avro"
