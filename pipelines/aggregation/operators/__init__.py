"""Flink functions that perform what `rounds`, `rule` and `shards` decide; and what runs between them."""
