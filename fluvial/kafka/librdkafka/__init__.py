"""The client over confluent-kafka (librdkafka), used where that package is installed."""
