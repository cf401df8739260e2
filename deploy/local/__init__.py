"""The embedded stack: one Kafka broker and a Flink session cluster on this machine, and nothing left behind."""
