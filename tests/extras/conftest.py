"""Tests of optional parts, for the environment of `make extras` alone: in the other one their packages are missing."""

import importlib.util
import os

os.environ["HF_HUB_OFFLINE"] = "1"

if importlib.util.find_spec("lightning") is None:
    collect_ignore_glob = ["test_*.py"]
