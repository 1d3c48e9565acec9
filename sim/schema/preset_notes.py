"""What a bundled venue says about itself, and whether every figure of it has a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import model_validator

from sim.schema.base import Finding, Model, attribute, refuse
from sim.schema.presets import NOT_RULES, preset
from sim.schema.units import Name
from sim.schema.venue import Venue

RESOLVED = ("margin", "mark", "liquidation", "waterfall")
"""Blocks of which also what a preset does not state is shown."""

ALTERNATIVES = ("initial_rate", "loans", "maintenance_rate", "sizes", "tiers")
"""Keys of which a venue has some; those that it does not have say nothing."""

Seen = Literal["stored", "memory", "assumed"]
"""Whether a source was read, is remembered only, or a figure is a choice of ours."""


class PresetSource(Model):
    """Where figures come from."""

    text: str = attribute("Publisher, page and what it says.", "-")
    as_of: str = attribute("Date of the figures, as exactly as it is known.", "-")
    seen: Seen = attribute(
        "stored: read in a stored copy; memory: not read, from memory; assumed: no source, "
        "a choice made here.",
        "-",
    )


class PresetNotes(Model):
    """The ``meta`` block of a preset."""

    title: str = attribute("Name of the venue and of what it lists.", "-")
    as_of: str = attribute("Date of the rules: year, year and month, or day.", "-")
    sources: dict[Name, PresetSource] = attribute("Sources by key.", "-", min_length=1)
    cites: dict[str, Name] = attribute(
        "Source of each place in the rules; the longest place that matches counts.", "-"
    )
    modelled: list[str] = attribute("What the rules say of the venue.", "-", min_length=1)
    simplified: list[str] = attribute("What they say more simply than it is.", "-", min_length=1)
    unknown: list[str] = attribute("What is not known.", "-", min_length=1)

    @model_validator(mode="after")
    def _sources_are_there(self) -> PresetNotes:
        findings = [
            Finding(("cites", place), f"source '{key}'", ", ".join(self.sources))
            for place, key in self.cites.items()
            if key not in self.sources
        ]
        unused = set(self.sources) - set(self.cites.values())
        findings += [
            Finding(("sources", key), "a source that nothing cites", "sources that are cited")
            for key in sorted(unused)
        ]
        refuse("meta", findings)
        return self

    def source_of(self, place: str) -> str | None:
        """Return the key of the source of a dotted place, None where there is none."""
        parts = place.split(".")
        for length in range(len(parts), 0, -1):
            key = self.cites.get(".".join(parts[:length]))
            if key is not None:
                return key
        return None


def preset_notes(name: str) -> PresetNotes:
    """Return the checked ``meta`` block of a preset."""
    return PresetNotes.model_validate(preset(name)["meta"])


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted place and value of everything below a mapping or list of mappings."""
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        yield place, value
        return
    for key, item in items:
        yield from leaves(item, f"{place}.{key}" if place else key)


def defaults(name: str) -> list[tuple[str, Any]]:
    """Return dotted place and value of the rules that stand where a preset states none.

    Of margin, mark, liquidation and waterfall; None where something is off or without limit.
    """
    stated, blocks = preset(name), Venue(preset=name).model_dump(include=set(RESOLVED))
    given = {place for place, _ in leaves(stated)}
    return [
        (place, value)
        for block in RESOLVED
        for place, value in leaves({block: blocks[block]})
        if place not in given
        and not place.startswith("margin.tiers.")
        and not (value is None and place.rpartition(".")[2] in ALTERNATIVES)
    ]


def is_figure(value: Any) -> bool:
    """Return whether a value is a figure that must have a source: a number, or a text with one."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, list):
        return any(is_figure(item) for item in value)
    return isinstance(value, int | float) or any(sign.isdigit() for sign in str(value))


def without_source(name: str) -> list[str]:
    """Return the places of a preset whose figures cite no source, and cites of nothing."""
    data, notes = preset(name), preset_notes(name)
    figures = data.pop("figures", {})
    rules = {key: value for key, value in data.items() if key not in NOT_RULES}
    found = [*leaves(rules), *(leaves({"figures": figures}) if figures else ())]
    missing = [p for p, value in found if is_figure(value) and notes.source_of(p) is None]
    places = [place for place, _ in found]
    idle = [
        cited
        for cited in notes.cites
        if not any(place == cited or place.startswith(f"{cited}.") for place in places)
    ]
    return missing + [f"{cited} (cited, but not there)" for cited in idle]
