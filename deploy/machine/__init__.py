"""Programs on this machine: their processes, ports and jars, how their Java starts, and what can go wrong with them."""
