"""Documents that people write, as YAML or JSON, read into plain values.

Plain values are those of YAML 1.2 and JSON, not of YAML 1.1, which the library knows: 1e-05 is a number, `no` a text,
and `true` and `false` alone are truth values. What the two take for different numbers (010, 1:30, 1_000) is refused.
What would cost more to read than any document of ours is worth is refused before it is built: depth, size, and aliases
that repeat each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from fluvial.wire.files import MAX_BYTES, text_of

MAX_DEPTH = 32
MAX_VALUES = 10_000
"""Keys and values of a document, with what its aliases repeat."""


class _Loader(yaml.SafeLoader):
    """YAML's plain types alone; a key that stands twice is an error, not the last one's value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"),
    list("-+.0123456789"),
)


_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in known if tag.removeprefix(_TAG) not in ("bool", "timestamp", "merge")]
    for first, known in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if re.fullmatch(r"[-+]?(?:0|[1-9][0-9]*)", text):
        return int(text)
    if re.fullmatch(r"[-+]?0x[0-9a-fA-F]+", text):
        return int(text, 16)
    raise _not_the_same_to_everybody(text, node)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    if "_" in text or ":" in text:
        raise _not_the_same_to_everybody(text, node)
    return loader.construct_yaml_float(node)


def _not_the_same_to_everybody(text: str, node: yaml.ScalarNode) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(
        None, None, f"{text} is not the same number to everybody: write plain digits, or quotes", node.start_mark
    )


_Loader.add_constructor(_TAG + "int", _integer)
_Loader.add_constructor(_TAG + "float", _float)


def read_document(path: Path) -> Any:
    """The content of a file in UTF-8, with or without a byte order mark. A file that ends in .json, or holds JSON, is
    read as JSON. Raises ValueError that names the file, OSError."""
    with Path(path).open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    kind = "JSON" if Path(path).suffix == ".json" else "YAML"
    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        text = text_of(content)
        found = _parsed(text, kind)
        # Escapes can write half of a pair of UTF-16, which no file and no record can hold.
        json.dumps(found, ensure_ascii=False, default=str, skipkeys=True).encode()
        return found
    except UnicodeEncodeError as error:
        raise ValueError(f"{path} holds {error.object[error.start]!a}, which is half of a character") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not {kind} that can be read: {error}") from error


def _parsed(text: str, kind: str) -> Any:
    if kind == "JSON":
        return _json(text)
    if text.lstrip().startswith("{"):
        try:
            return _json(text)
        except json.JSONDecodeError:
            pass  # braces are YAML too
    return _yaml(text)


def _json(text: str) -> Any:
    depth = 0
    for bracket in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket, 0)
        _check(depth, 0)
    values = 0

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal values
        values += 2 * len(found)
        _check(0, values)
        seen: dict[str, Any] = {}
        for key, value in found:
            if key in seen:
                raise ValueError(f"the key {key!r} stands twice")
            seen[key] = value
        return seen

    return json.loads(text, object_pairs_hook=pairs)


def _yaml(text: str) -> Any:
    _check_events(text)
    return yaml.load(text, _Loader)


def _check_events(text: str) -> None:
    """Refuses what is too deep or, with its aliases written out, too large, from the parser's events alone."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    values = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"the alias {event.anchor!r} stands for nothing before it")
            values += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            values += 1
            open_nodes.append((event.anchor, values))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = values - before + 1
        _check(len(open_nodes), values)


def _check(depth: int, values: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    if values > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES} keys and values")
