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
    EXPERIMENTS = "experiments"
    VENUES = "venues"
    MODELS = "models"


def list_bundled(
    what: Annotated[
        Section | None,
        typer.Argument(metavar="[scenarios|experiments|venues|models]", help="Default: all."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the bundled scenarios, experiments, venues and models."""
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


def experiments() -> list[dict[str, str]]:
    """Return the bundled experiments with their descriptions."""
    from sim.cli.bundled import bundled_experiments

    known = bundled_experiments()
    return [{"name": name, "description": describe(path)} for name, path in known.items()]


def venues() -> list[dict[str, str]]:
    """Return the bundled venues with the date their rules were read."""
    from sim.schema import list_presets, list_versions, preset

    entries = []
    for name in list_presets():
        for version in reversed(list_versions(name)):
            newest = version == list_versions(name)[-1]
            meta = preset(version)["meta"]
            shown = name if newest else version
            entries.append({"name": shown, "as_of": meta["as_of"], "title": meta["title"]})
    return entries


def models() -> list[dict[str, str]]:
    """Return every variant a scenario can name, by socket."""
    from sim.schema import json_schema

    schema = json_schema()
    definitions = schema["$defs"]
    sockets: dict[str, dict[str, None]] = {}
    for block in (schema, *definitions.values()):
        for key, node in block.get("properties", {}).items():
            variants = [name for name in _references(node) if _tag(definitions[name])]
            if len(variants) > 1:
                dist = _tag(definitions[variants[0]]) == "dist"
                socket = "distribution" if dist else key.removesuffix("s")
                sockets.setdefault(socket, {}).update(dict.fromkeys(variants))
    entries = []
    taken: set[str] = set()
    for socket, names in sorted(sockets.items(), key=lambda item: -len(item[1])):
        for name in (name for name in names if name not in taken):
            taken.add(name)
            entries += _entries(socket, definitions[name])
    return sorted(entries, key=lambda entry: (entry["socket"], entry["kind"]))


def _entries(socket: str, block: dict[str, Any]) -> list[dict[str, str]]:
    """Return one entry for each name a variant goes by."""
    choice = block["properties"][_tag(block)]
    text = str(block.get("description", "")).split("\n", maxsplit=1)[0]
    kinds = choice.get("enum") or [choice["const"]]
    return [{"socket": socket, "kind": str(kind), "description": text} for kind in kinds]


def _tag(block: dict[str, Any]) -> str:
    """Return the key by which a variant is chosen, or nothing if it is no variant."""
    properties = block.get("properties", {})
    return next((key for key in ("kind", "dist") if key in properties), "")


def _references(node: Any) -> Iterator[str]:
    """Yield the names of all definitions that a part of a JSON Schema refers to."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield str(node["$ref"]).rsplit("/", 1)[-1]
        for value in node.values():
            yield from _references(value)


def describe(path: Path) -> str:
    """Return the description a file gives of itself, or what hinders reading it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path)
    except (OSError, YAMLError):
        return "(cannot be read)"
    text = data.get("description", "") if isinstance(data, dict) else ""
    return " ".join(str(text).split())


_ENTRIES = {
    Section.SCENARIOS: scenarios,
    Section.EXPERIMENTS: experiments,
    Section.VENUES: venues,
    Section.MODELS: models,
}
