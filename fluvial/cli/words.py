"""What a verb says of itself, read from its source: a list of all verbs needs a line of each, and to import them all
takes longer than most of them work."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from typing import NamedTuple

from fluvial.cli.declared import Declared


class Words(NamedTuple):
    """help: as Typer would have it. is_group: whether the verb has verbs of its own."""

    help: str
    is_group: bool


def words_of(found: Declared) -> Words | None:
    """None where that stands in no literal, or in no source that Python imports from: whoever asks has to import it,
    and learns what is wrong with it."""
    module, _, name = found.value.partition("[")[0].partition(":")
    try:
        spec = find_spec(module.strip())
        source = spec.loader.get_source(spec.name) if spec is not None else None  # type: ignore[union-attr]
        statements = ast.parse(source or "").body
    except Exception:  # whatever the packages that it lies in raise, which are imported to find it
        return None
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=found_name) if found_name == name.strip():
                return Words(ast.get_docstring(statement) or "", is_group=False)
            case ast.Assign(targets=[ast.Name(id=found_name)], value=ast.Call() as call) if found_name == name.strip():
                return _of_group(call)
    return None


def _of_group(call: ast.Call) -> Words | None:
    """Of `typer.Typer(help="...")`."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="typer"), attr="Typer"):
            for keyword in call.keywords:
                match keyword:
                    case ast.keyword(arg="help", value=ast.Constant(value=str(text))):
                        return Words(text, is_group=True)
    return None
