"""YAML from anywhere: safe values only, and no `*alias`: a few nested ones stand for more than memory holds.

Numbers are what a person reads: YAML 1.1 has 010 for eight and 1:30 for ninety; here they are ten and a text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml


class _NoAliases(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: int) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read here")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: Any) -> Any:
        text = self.construct_scalar(node)
        if ":" in text:
            return text
        return int(text.replace("_", "")) if re.fullmatch(r"[-+]?0[0-7_]+", text) else super().construct_yaml_int(node)

    def construct_yaml_float(self, node: Any) -> Any:
        text = self.construct_scalar(node)
        return text if ":" in text else super().construct_yaml_float(node)


_NoAliases.add_constructor("tag:yaml.org,2002:int", _NoAliases.construct_yaml_int)
_NoAliases.add_constructor("tag:yaml.org,2002:float", _NoAliases.construct_yaml_float)


def read_yaml(text: str) -> Any:
    """The value of a text; raises `yaml.YAMLError`, `ValueError` (such as a day that no month has) or `RecursionError`.
    """
    return yaml.load(text, _NoAliases)


def explained(error: Exception) -> str:
    """Why `read_yaml` has refused a text, in words: with the line where it is known."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError):
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return f"neither JSON nor YAML ({line}{error.problem})"
    return f"neither JSON nor YAML ({error})"
