"""The client over kafka-python 3: pure Python, so it runs wherever the package installs."""
