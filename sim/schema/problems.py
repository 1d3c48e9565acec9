"""Turning validation errors into problems a user can act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from sim.core.errors import Problem
from sim.schema.base import FINDING, show
from sim.schema.introspect import keys_at, kinds_at, literals_at
from sim.schema.locator import OVERRIDES, KeyPath, Source
from sim.schema.names import nearest
from sim.schema.presets import merge_preset
from sim.schema.scenario import Scenario
from sim.schema.yamlfile import dotted

SHAPES = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing_size": "a whole number of moderate size",
    "float_type": "a number",
}
"""What is allowed where the type of a value is wrong."""

UNKNOWN_KEY = ("extra_forbidden", "invalid_key")
"""Errors of a key, not of its value."""

BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "of at most"),
}
"""Words for a broken bound."""

DISCRIMINATORS = ("kind", "dist")
"""Keys that choose a variant."""


def problems_of(
    error: ValidationError,
    data: Any,
    source: Source,
    root: type[BaseModel] = Scenario,
) -> list[Problem]:
    """Return the problems of a validation error in the order of the file.

    Parameters
    ----------
    error : pydantic.ValidationError
        What validation of `data` raised.
    data : Any
        The plain values that were validated.
    source : Source
        Places of the values.
    root : type of BaseModel
        Model of the whole file.
    """
    data = with_presets(data)
    found = [_problem(dict(item), data, source, root) for item in error.errors(include_url=False)]
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda p: (p.file == OVERRIDES, p.line or 0, p.column or 0))


def _problem(item: dict[str, Any], data: Any, source: Source, root: type[BaseModel]) -> Problem:
    """Return one problem of one pydantic error."""
    kind, loc = item["type"], tuple(item["loc"])
    of_key = kind in UNKNOWN_KEY or (bool(loc) and loc[-1] == "[key]")
    path = clean_path(loc, data, keep_last=kind in UNKNOWN_KEY)
    value, exists = (path[-1], True) if loc[-1:] == ("[key]",) else value_at(data, path)
    found, allowed, hint, below = _words(item, loc, path, value if exists else None, exists, root)
    full = (*path, *below)
    file = source.file_of(full)
    line, column = (None, None) if file == OVERRIDES else source.place(full, of_key=of_key)
    return Problem(file, line, column, dotted(full), found, allowed, hint)


def _words(
    item: dict[str, Any],
    loc: tuple[Any, ...],
    path: KeyPath,
    value: Any,
    exists: bool,
    root: type[BaseModel],
) -> tuple[str, str, str | None, KeyPath]:
    """Return found, allowed, hint and a path below the error's own."""
    kind, context = item["type"], item.get("ctx", {})
    shown = show(value) if exists else "nothing"
    if kind == FINDING:
        return context["found"], context["allowed"], context.get("hint"), ()
    if kind == "missing":
        return "nothing", f"a value: '{path[-1]}' is required", None, ()
    if kind in UNKNOWN_KEY:
        keys = keys_at(loc[:-1], root)
        return f"unknown key '{path[-1]}'", ", ".join(keys), nearest(path[-1], keys), ()
    if kind in BOUNDS:
        key, words = BOUNDS[kind]
        return shown, f"a number {words} {context[key]:g}", None, ()
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_words(str(context["discriminator"]).strip("'"), kinds_at(loc, root), value)
    if kind == "literal_error":
        choices = literals_at(context["expected"])
        return shown, ", ".join(choices), nearest(value, choices), ()
    if kind in ("too_short", "too_long"):
        return shown, _length_words(kind, context), None, ()
    if kind in SHAPES:
        return shown, SHAPES[kind] + _keys_words(kind, loc, root), None, ()
    return shown, str(item["msg"]), None, ()


def _length_words(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "too_short":
        fewest = context["min_length"]
        return f"at least {fewest} {'entry' if fewest == 1 else 'entries'}"
    return f"at most {context['max_length']} entries"


def _keys_words(kind: str, loc: tuple[Any, ...], root: type[BaseModel]) -> str:
    """Return the keys a mapping may have; only its kinds where there are several variants."""
    if not kind.startswith("model"):
        return ""
    kinds, keys = kinds_at(loc, root), keys_at(loc, root)
    if kinds:
        return f" with the key '{'dist' if 'dist' in keys else 'kind'}': {', '.join(kinds)}"
    return f" with keys {', '.join(keys)}" if keys else ""


def _tag_words(key: str, kinds: Sequence[str], value: Any) -> tuple[str, str, str | None, KeyPath]:
    """Return the words for a `kind` that is missing or unknown."""
    if not isinstance(value, dict):
        return show(value), f"a mapping with the key '{key}'", None, ()
    if key not in value:
        return "nothing", ", ".join(kinds), None, (key,)
    return show(value[key]), ", ".join(kinds), nearest(value[key], kinds), (key,)


def with_presets(data: Any) -> Any:
    """Return a scenario's values with the rules of its presets, where these exist."""
    if not isinstance(data, dict) or not isinstance(data.get("venues"), dict):
        return data
    venues = {}
    for name, venue in data["venues"].items():
        try:
            venues[name] = merge_preset(venue)
        except ValidationError:
            venues[name] = venue
    return {**data, "venues": venues}


def clean_path(loc: tuple[Any, ...], data: Any, *, keep_last: bool = False) -> KeyPath:
    """Return an error's location as key path of the file, without marks of variants.

    Notes
    -----
    Pydantic puts the tag of a variant behind the path of its value; it is dropped where the
    value itself names that variant. Tags in angle brackets are never keys.
    """
    path: list[str | int] = []
    node, fresh = data, False
    for number, part in enumerate(loc):
        final = keep_last and number == len(loc) - 1
        if part == "[key]" or (isinstance(part, str) and part[:1] == "<" and part[-1:] == ">"):
            continue
        is_tag = (
            fresh
            and isinstance(node, dict)
            and any(node.get(key) == part for key in DISCRIMINATORS)
        )
        if is_tag and not final:
            fresh = False
            continue
        path.append(part)
        node, fresh = _below(node, part), True
    return tuple(path)


def _below(node: Any, part: Any) -> Any:
    if isinstance(node, dict):
        for key in node:
            if key == part or str(key) == str(part):
                return node[key]
    if isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node):
        return node[part]
    return None


def value_at(data: Any, path: KeyPath) -> tuple[Any, bool]:
    """Return the value at a key path and whether there is one."""
    node = data
    for part in path:
        if isinstance(node, dict):
            keys = [key for key in node if key == part or str(key) == str(part)]
            if not keys:
                return None, False
            node = node[keys[0]]
        elif isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return None, False
    return node, True
