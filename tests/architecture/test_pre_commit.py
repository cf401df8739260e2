"""What is checked before a commit is what `make check` checks."""

import re
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[2]


def test_the_hooks_are_the_commands_of_make_check() -> None:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (CHECKOUT / "Makefile").read_text(), re.M)
    assert recipe is not None
    commands = [line.strip("\t@").replace("$(BIN)", ".venv/bin") for line in recipe.group(1).splitlines()]
    config = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert hooks == [command for command in commands if not command.startswith("echo")]
