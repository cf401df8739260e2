"""A Flink session cluster on this machine: its processes and configuration, and its REST interface."""
