"""YAML and JSON that an image brings, read with a bound on size, depth and what aliases make."""

from __future__ import annotations

import json
from typing import Any

import yaml

from host.errors import InputError

YAML_BYTES_MAX = 256 << 10
"""cloud.cfg, the largest that we look into, has 4 KiB."""
_NODES_MAX = 50_000
_DEPTH_MAX = 50
_SCALAR_MAX = 256
"""A longer value is text, whatever it looks like: a number of a megabyte is no setting."""
_STRING, _SEQUENCE, _MAPPING = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


class _Bounded(yaml.SafeLoader):
    """Counts nodes, an alias as all that it stands for: nine of nine of nine … are a gigabyte.

    Tags are not believed: `!!int ""` is one of many values that PyYAML stumbles over.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        alias = self.check_event(yaml.AliasEvent)
        before = self._nodes
        self._depth += 1
        self._nodes += 1
        self._check()
        node = super().compose_node(parent, index)
        if alias:
            # What is not composed yet has no size: it holds itself.
            self._nodes += self._sizes.get(id(node), _NODES_MAX)
            self._check()
        elif node is not None:
            self._sizes[id(node)] = self._nodes - before
            node.tag = self._tag(node)
        self._depth -= 1
        return node

    def _check(self) -> None:
        if self._depth > _DEPTH_MAX or self._nodes > _NODES_MAX:
            raise yaml.YAMLError("too deep, or too much")

    def _tag(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.SequenceNode):
            return _SEQUENCE
        if isinstance(node, yaml.MappingNode):
            return _MAPPING
        assert isinstance(node, yaml.ScalarNode)
        if node.style is not None or len(node.value) > _SCALAR_MAX:
            return _STRING
        kinds = self.yaml_implicit_resolvers
        known = kinds.get(node.value[:1], []) + kinds.get(None, [])
        return next((tag for tag, form in known if form.match(node.value)), _STRING)


def parse_yaml(path: str, text: str) -> Any:
    """Return the content of a YAML document; path: how an error names it.

    Raises InputError when it is none, too large or too deep.
    """
    if len(text) > YAML_BYTES_MAX:
        raise InputError(f"{path} is too large for what it is: {len(text)} characters")
    try:
        loader = _Bounded(text)  # looks for characters that YAML has not
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InputError(f"{path} is not valid YAML, or too much of it",
                         why=type(error).__name__) from error


def parse_json(name: str, text: str) -> Any:
    """Return the content of a JSON document; name: how an error calls it.

    Raises InputError when it is none, or nested beyond reason.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON", why=type(error).__name__) from error
