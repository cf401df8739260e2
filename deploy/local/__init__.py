"""The stack of one machine: a broker and a Flink session cluster, begun and ended together; nothing is left behind."""
