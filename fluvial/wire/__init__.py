"""The wire contract: records, their bytes, topics, layouts. Knows no network and no key."""
