"""``liqsim list``: what is bundled."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli.options import Json


class Section(StrEnum):
    """What can be listed."""

    SCENARIOS = "scenarios"
    VENUES = "venues"
    MODELS = "models"


def list_bundled(
    what: Annotated[
        Section | None, typer.Argument(metavar="[scenarios|venues|models]", help="Default: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the bundled scenarios, venues and models."""
    from sim.cli.console import emit_json, emit_table

    sections = [what] if what is not None else list(Section)
    listed = {section.value: _ENTRIES[section]() for section in sections}
    if as_json:
        emit_json(listed)
        return
    for section, entries in listed.items():
        columns = [key for key in (entries[0] if entries else {"name": ""})]
        rows = [tuple(str(entry[key]) for key in columns) for entry in entries]
        emit_table(section, columns, rows or [("none",)], left=len(columns))


def scenarios() -> list[dict[str, str]]:
    """Return the bundled scenarios with their descriptions."""
    from sim.cli.bundled import bundled

    return [{"name": name, "description": describe(path)} for name, path in bundled().items()]


def venues() -> list[dict[str, str]]:
    """Return the bundled venues with the date their rules were read."""
    from sim.schema import list_presets, preset

    entries = []
    for name in list_presets():
        meta = preset(name).get("meta", {})
        entries.append(
            {
                "name": name,
                "as_of": str(meta.get("as_of", "-")),
                "title": str(meta.get("title", "")),
            }
        )
    return entries


def models() -> list[dict[str, str]]:
    """Return every variant a scenario can name, by socket."""
    from sim.schema import json_schema

    schema = json_schema()
    sockets: dict[str, dict[str, str]] = {}
    for socket, kind, reference in _variants(schema, "scenario"):
        sockets.setdefault(socket.removesuffix("s"), {})[reference] = kind
    entries = []
    taken: set[str] = set()
    for socket, variants in sorted(sockets.items(), key=lambda item: -len(item[1])):
        for reference, kind in variants.items():
            if reference not in taken:
                taken.add(reference)
                text = schema["$defs"][reference.rsplit("/", 1)[-1]].get("description", "")
                first = text.split("\n", maxsplit=1)[0]
                entries.append({"socket": socket, "kind": kind, "description": first})
    return sorted(entries, key=lambda entry: (entry["socket"], entry["kind"]))


def describe(path: Path) -> str:
    """Return the description a scenario file gives of itself, or what hinders reading it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path)
    except (OSError, YAMLError):
        return "(cannot be read)"
    text = data.get("description", "") if isinstance(data, dict) else ""
    return " ".join(str(text).split())


def _variants(node: Any, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield (socket, kind, reference) of every choice by kind in a JSON Schema."""
    if isinstance(node, list):
        for item in node:
            yield from _variants(item, name)
        return
    if not isinstance(node, dict):
        return
    choice = node.get("discriminator", {})
    socket = "distribution" if choice.get("propertyName") == "dist" else name
    for kind, reference in choice.get("mapping", {}).items():
        yield socket, kind, reference
    for key, value in node.items():
        if key == "properties":
            for field, definition in value.items():
                yield from _variants(definition, field)
        elif key != "discriminator":
            yield from _variants(value, name)


_ENTRIES = {Section.SCENARIOS: scenarios, Section.VENUES: venues, Section.MODELS: models}
