"""Names of participants, tasks, updates and agreements.

They become Kafka keys, file names, parts of event ids and words in an audit log that strangers read: ASCII, no spaces,
no separators, bounded.
"""

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")


def is_name(text: str) -> bool:
    """1 to 128 letters, digits and . _ : @ + -, the first a letter or digit."""
    return _NAME.fullmatch(text) is not None
