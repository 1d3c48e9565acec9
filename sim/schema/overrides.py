"""Values set from outside the file: ``--set shocks.0.return=-0.2``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sim.core.errors import Problem, ScenarioError
from sim.schema.base import show
from sim.schema.locator import OVERRIDES, KeyPath
from sim.schema.names import nearest
from sim.schema.presets import merge_preset
from sim.schema.yamlfile import dotted, parse_yaml, plain

NAMED = (("assets",), ("venues",))
"""Mappings whose names must exist already: a misspelt one would add an empty entry."""


def apply_overrides(
    data: dict[str, Any], overrides: Mapping[str, Any], *, typed: bool = True
) -> tuple[dict[str, Any], frozenset[KeyPath]]:
    """Return a copy of `data` with values replaced, and the key paths that were.

    Parameters
    ----------
    data : dict
        Scenario as plain values.
    overrides : mapping
        Value by dotted path; items of lists by number, from 0.
    typed : bool
        Whether somebody typed the values, so that text is read as YAML.

    Raises
    ------
    ScenarioError
        For every path that leads nowhere and every value that is not YAML.

    Notes
    -----
    A path may lead into what a preset states: the preset's list is copied into the venue
    before an item of it is replaced.
    """
    data = copy.deepcopy(data)
    problems: list[Problem] = []
    changed: set[KeyPath] = set()
    for text, value in overrides.items():
        try:
            read = _value(text, value) if typed else copy.deepcopy(value)
            changed.add(_set(data, text, read))
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return data, frozenset(changed)


def _value(path: str, value: Any) -> Any:
    """Return an override's value, read as YAML if it is text."""
    if not isinstance(value, str):
        return value
    try:
        return plain(parse_yaml(value, OVERRIDES), OVERRIDES)[0]
    except ScenarioError as error:
        found = error.problems[0].found
        raise ScenarioError(Problem(OVERRIDES, None, None, path, found, "a YAML value")) from None


def _fail(path: str, found: str, allowed: str, hint: str | None = None) -> ScenarioError:
    return ScenarioError(Problem(OVERRIDES, None, None, path, found, allowed, hint))


def _set(data: dict[str, Any], text: str, value: Any) -> KeyPath:
    """Set one value in place and return its key path."""
    parts = text.split(".")
    if not all(parts):
        raise _fail(
            text or "''",
            "a path with an empty part",
            "keys joined by dots, such as shocks.0.return",
        )
    node: Any = data
    path: KeyPath = ()
    for part in parts[:-1]:
        key = _step(node, path, part, text)
        if isinstance(node, dict) and node.get(key) is None:
            node[key] = _inherited(data, (*path, key))
        path = (*path, key)
        node = node[key]
    last = _step(node, path, parts[-1], text)
    node[last] = value
    return (*path, last)


def _step(node: Any, path: KeyPath, part: str, text: str) -> str | int | float:
    """Return the key or index that one part of a path means in `node`."""
    if isinstance(node, list):
        if part.isdigit() and int(part) < len(node):
            return int(part)
        allowed = f"0 to {len(node) - 1}" if node else "no item: the list is empty"
        raise _fail(text, f"'{part}' as an item of {dotted(path)}", allowed)
    if not isinstance(node, dict):
        raise _fail(
            text,
            f"'{part}' below {dotted(path)}, which is {show(node)}",
            f"a path that ends at {dotted(path)}",
        )
    for key in node:
        if str(key) == part:
            found: str | int | float = key
            return found
    if path in NAMED:
        known = [str(key) for key in node]
        raise _fail(
            text, f"unknown name '{part}' in {dotted(path)}", ", ".join(known), nearest(part, known)
        )
    return part


def _inherited(data: dict[str, Any], path: KeyPath) -> Any:
    """Return a preset's list at `path` if it has one there, else a new empty mapping."""
    if len(path) < 3 or path[0] != "venues":
        return {}
    try:
        node = merge_preset(data["venues"][path[1]])
    except ValidationError:
        return {}
    for part in path[2:]:
        node = node.get(part) if isinstance(node, dict) else None
    return copy.deepcopy(node) if isinstance(node, list) else {}
