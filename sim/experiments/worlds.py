"""The scenario of a counterfactual world."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.experiments.changes import Change
from sim.schema import load_mapping, resolved
from sim.schema.locator import Source

if TYPE_CHECKING:
    from sim.schema import Scenario


class Plain(NamedTuple):
    """A scenario as plain values, as it travels to a worker process.

    Attributes
    ----------
    data : dict
        Resolved scenario.
    file, base_dir : str
        Where it came from.
    """

    data: dict[str, Any]
    file: str
    base_dir: str


def plain(scenario: Scenario) -> Plain:
    """Return a scenario as plain values."""
    source = scenario.source
    return Plain(resolved(scenario), source.file, str(source.base_dir))


def load_plain(written: Plain, values: dict[str, Any] | None = None) -> Scenario:
    """Load a scenario from plain values, some of them replaced."""
    from pathlib import Path

    base = Path(written.base_dir)
    return load_mapping(written.data, base, values, Source(written.file, base))


def changed(scenario: Scenario, changes: Iterable[Change]) -> Scenario:
    """Return a scenario with changes, itself left as it is.

    Raises
    ------
    ScenarioError
        If a change names what the scenario does not have, or leads to one that cannot be run.
    """
    written = plain(scenario)
    values: dict[str, Any] = {}
    for change in changes:
        edit = change.edit(scenario)
        block = written.data.setdefault("counterfactual", {}) if edit.switches else {}
        for key, name in edit.switches:
            listed = block.setdefault(key, [])
            if name not in listed:
                listed.append(name)
        values |= edit.values
    return load_plain(written, values)
