"""Example federations with small real data, ready to run."""
