"""What is printed where there is no terminal."""

import os
import subprocess
import sys


def test_where_no_terminal_is_a_row_of_a_table_is_one_whole_line() -> None:
    row = "x" * 300
    code = f"from rich.table import Table; from fluvial.cli.common import console; console.print(Table({row!r}))"
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert row in printed
    told = {**environment, "COLUMNS": "80"}
    assert row not in subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout
