"""The PyFlink jobs. Each stage is a folder: `logic.py` decides, `operators.py` performs, `job.py` wires."""
