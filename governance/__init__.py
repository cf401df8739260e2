"""Who may contribute and what is recorded. Pure: no engine, no network, no clock, no tensors beyond numpy."""
