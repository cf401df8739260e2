"""Jobs of stages: whom they may replace, what they are told, and how they get to a cluster."""
