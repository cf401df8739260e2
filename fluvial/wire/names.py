"""Names of participants, tasks, updates and agreements: the two grammars there are.

They become Kafka keys, file names, parts of event ids and words in an audit log that strangers read: ASCII, no spaces,
no separators, bounded.
"""

import re

MAX_TOKEN_CHARACTERS = 256

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")

GIVEN_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
"""What an operator may call a task, agreement or variant: narrower than what the wire takes, for folders and URLs."""

FEDERATION_OPERATOR = "operator"
"""What the federation's operator is called where no operators are named."""


def is_name(text: str) -> bool:
    """1 to 128 letters, digits and . _ : @ + -, the first a letter or digit."""
    return _NAME.fullmatch(text) is not None


def check_participant(name: str) -> None:
    """Raises ValueError that says the rule, for a name that no participant can enrol under."""
    if not is_name(name):
        raise ValueError(
            f"{name!r} cannot be the name of a participant: it must have 1 to 128 of A-Z a-z 0-9 . _ : @ + -, "
            "the first a letter or digit"
        )


def check_token(token: str) -> None:
    """Raises ValueError for what cannot be a token."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise ValueError(f"a token has at most {MAX_TOKEN_CHARACTERS} characters; this one has {len(token)}")
