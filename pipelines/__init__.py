"""The PyFlink jobs. Each stage is a folder: pure modules decide, `operators` perform, `job.py` wires."""
