"""What the stages share of Flink and Kafka: sources, sinks, keys, blob readers. No decisions live here."""
