"""What a stack is where nobody says otherwise; apart, so that the commands that start one need not import it."""

DEFAULT_PARTITIONS = 4
