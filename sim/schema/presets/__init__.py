"""Bundled venues: one YAML file each, with the public source of every figure.

A preset is the mapping a user could write under a venue, plus two blocks that are no part of the
venue: ``meta`` (title, as_of, sources, cites, modelled, simplified, unknown; see
`sim.schema.preset_notes`) and ``figures``, published figures that formulas outside a scenario
take (grids of a portfolio margin and the like).

The file ``NAME.yaml`` holds the newest rules. ``NAME@DATE.yaml`` holds those in force at an
earlier date, as what differs from the newest; ``preset: NAME@DATE`` names them.
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

NOT_RULES = ("meta", "figures")
"""Blocks of a preset that are no part of the venue."""


@cache
def _file_names() -> tuple[str, ...]:
    names = (entry.name for entry in resources.files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def _read(name: str) -> dict[str, Any]:
    text = (resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    if "@" not in name:
        return data
    newest = _read(name.split("@", maxsplit=1)[0])
    merged = _merge(newest, data, keep_kind="margin")
    for notes in ("modelled", "simplified", "unknown"):
        merged["meta"][notes] = [*data["meta"].get(notes, []), *newest["meta"][notes]]
    return merged


@cache
def list_presets() -> tuple[str, ...]:
    """Return the names of the bundled venues in alphabetical order, without versions."""
    return tuple(name for name in _file_names() if "@" not in name)


@cache
def list_versions(name: str) -> tuple[str, ...]:
    """Return the names of a venue's versions, ``NAME@DATE``, the oldest first, the newest last."""
    older = tuple(version for version in _file_names() if version.startswith(f"{name}@"))
    return (*older, f"{name}@{_read(name)['meta']['as_of']}")


@cache
def _file_of(name: str) -> str | None:
    """Return the file of a preset by any of its names; None where there is no such preset."""
    if name in _file_names():
        return name
    venue = name.split("@", maxsplit=1)[0]
    newest = venue in list_presets() and list_versions(venue)[-1] == name
    return venue if newest else None


def _choices(name: str) -> tuple[str, ...]:
    """Return what may stand instead of an unknown name: its versions if it has any."""
    venue = name.split("@", maxsplit=1)[0]
    return list_versions(venue) if venue in list_presets() else list_presets()


def preset(name: str) -> dict[str, Any]:
    """Return a fresh copy of a bundled venue, with its ``meta`` and ``figures`` blocks.

    Parameters
    ----------
    name : str
        ``NAME`` for the newest rules, ``NAME@DATE`` for a version.

    Raises
    ------
    ScenarioError
        If there is no such preset; the nearest name is the hint.
    """
    file = _file_of(name)
    if file is None:
        choices = _choices(name)
        raise ScenarioError(
            Problem(
                "presets", None, None, "preset", show(name), ", ".join(choices),
                nearest(name, choices),
            )
        )  # fmt: skip
    return copy.deepcopy(_read(file))


def preset_rules(name: str) -> dict[str, Any]:
    """Return the venue keys of a preset, without its ``meta`` and ``figures`` blocks.

    It is shared by everybody who asks and must not be changed.

    Raises
    ------
    pydantic.ValidationError
        If there is no such preset.
    """
    if _file_of(name) is None:
        choices = _choices(name)
        hint = nearest(name, choices)
        refuse("venue", [Finding(("preset",), show(name), ", ".join(choices), hint)])
    return _rules(_file_of(name) or name)


@cache
def _rules(file: str) -> dict[str, Any]:
    return {key: value for key, value in _read(file).items() if key not in NOT_RULES}


def merge_preset(venue: Any) -> Any:
    """Return a venue's mapping with its preset's rules under its own keys.

    The venue's keys win; mappings are merged, lists replaced. Where the venue states another
    `kind` of mark or liquidation, the preset's is dropped as a whole. A venue that states a
    `maintenance_rate` but no `tiers` drops the preset's tiers, which would shadow it. Lists of
    the preset are shared, see `preset_rules`.
    """
    if not isinstance(venue, dict) or not isinstance(venue.get("preset"), str):
        return venue
    rules = preset_rules(venue["preset"])
    own = venue.get("margin")
    if isinstance(own, dict) and own.get("maintenance_rate") is not None and "tiers" not in own:
        margin = {key: rule for key, rule in rules.get("margin", {}).items() if key != "tiers"}
        rules = {**rules, "margin": margin}
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
