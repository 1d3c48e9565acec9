"""Bundled venues: one YAML file each, with the public source of every figure.

A preset is the mapping a user could write under a venue, plus a ``meta`` block (title, as_of,
sources, modelled, simplified, unknown) that is not part of the venue.
"""

from __future__ import annotations

import copy
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from sim.core.errors import Problem, ScenarioError
from sim.schema.base import Finding, refuse, show
from sim.schema.names import nearest


@cache
def _read(name: str) -> dict[str, Any]:
    text = (resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return data


@cache
def list_presets() -> tuple[str, ...]:
    """Return the names of the bundled venues in alphabetical order."""
    names = (entry.name for entry in resources.files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def preset(name: str) -> dict[str, Any]:
    """Return a fresh copy of a bundled venue, with its ``meta`` block.

    Raises
    ------
    ScenarioError
        If there is no such preset; the nearest name is the hint.
    """
    known = list_presets()
    if name not in known:
        raise ScenarioError(
            Problem(
                "presets", None, None, "preset", show(name), ", ".join(known), nearest(name, known)
            )
        )
    return copy.deepcopy(_read(name))


def preset_rules(name: str) -> dict[str, Any]:
    """Return the venue keys of a preset, without its ``meta`` block.

    Raises
    ------
    pydantic.ValidationError
        If there is no such preset.
    """
    known = list_presets()
    if name not in known:
        refuse("venue", [Finding(("preset",), show(name), ", ".join(known), nearest(name, known))])
    rules = preset(name)
    rules.pop("meta", None)
    return rules


def merge_preset(venue: Any) -> Any:
    """Return a venue's mapping with its preset's rules under its own keys.

    The venue's keys win; mappings are merged, lists replaced. Where the venue states another
    `kind` of mark or liquidation, the preset's is dropped as a whole. A venue that states a
    `maintenance_rate` but no `tiers` drops the preset's tiers, which would shadow it.
    """
    if not isinstance(venue, dict) or not isinstance(venue.get("preset"), str):
        return venue
    rules = preset_rules(venue["preset"])
    own = venue.get("margin")
    if isinstance(own, dict) and own.get("maintenance_rate") is not None and "tiers" not in own:
        rules.get("margin", {}).pop("tiers", None)
    merged: dict[str, Any] = _merge(rules, venue, keep_kind="margin")
    return merged


def _merge(base: dict[str, Any], own: dict[str, Any], keep_kind: str = "") -> dict[str, Any]:
    """Return `base` updated by `own`, mappings in depth; `keep_kind` may change its kind."""
    merged = dict(base)
    for key, value in own.items():
        under = base.get(key)
        if not isinstance(value, dict) or not isinstance(under, dict):
            merged[key] = value
            continue
        other = "kind" in value and value["kind"] != under.get("kind")
        merged[key] = value if other and key != keep_kind else _merge(under, value)
    return merged
