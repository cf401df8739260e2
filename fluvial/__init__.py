"""Client library of Fluvial: what devices, auditors and the command line import. Import its parts by name."""

__version__ = "0.1.0"
