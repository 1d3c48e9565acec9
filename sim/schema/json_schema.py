"""JSON Schema of what a user may write: texts and units from the models, bounds included."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from sim.schema.experiment import Experiment
from sim.schema.experiment_calibrate import Scorecard
from sim.schema.presets import list_presets
from sim.schema.scenario import Scenario
from sim.schema.units import TEXT_PATTERNS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""Dialect of the schema."""

BOUNDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
}
"""Keywords of bounds that pydantic leaves in its own words."""

NUMERIC = ("type", "exclusiveMinimum", "minimum", "exclusiveMaximum", "maximum")
"""Keywords that speak of a number and not of its text."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file.

    Notes
    -----
    It describes what a user may write, so a duration is a number or text such as ``30s``. Rules
    between keys, such as a market on a known venue, are beyond it; `load` checks them.
    """
    schema, definitions = _parts(Scenario)
    _loosen_under_presets(definitions)
    head = {"$schema": DIALECT, "title": "liqsim scenario"}
    return {**head, **schema, "$defs": dict(sorted(definitions.items()))}


def experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an experiment file."""
    return _whole(Experiment, "liqsim experiment")


def scorecard_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file of targets to calibrate to."""
    return _whole(Scorecard, "liqsim scorecard")


def _whole(root: type[BaseModel], title: str) -> dict[str, Any]:
    schema, definitions = _parts(root)
    head = {"$schema": DIALECT, "title": title}
    return {**head, **schema, "$defs": dict(sorted(definitions.items()))}


def _parts(root: type[BaseModel]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a file, and the definitions that it refers to."""
    schema = _node(root.model_json_schema(by_alias=True))
    definitions: dict[str, Any] = schema.pop("$defs")
    text = json.dumps([schema, definitions])
    for name, pattern in TEXT_PATTERNS.items():
        if f'"#/$defs/{name}"' in text:
            definitions[name] = {"type": "string", "pattern": pattern}
    return schema, definitions


def json_schema_text(kind: str = "scenario") -> str:
    """Return a JSON Schema as the text of its file beside the bundled scenarios.

    Parameters
    ----------
    kind : str
        ``scenario``, ``experiment`` or ``scorecard``.
    """
    makers = {
        "scenario": json_schema,
        "experiment": experiment_schema,
        "scorecard": scorecard_schema,
    }
    return json.dumps(makers[kind](), indent=2, ensure_ascii=False) + "\n"


def _loosen_under_presets(definitions: dict[str, Any]) -> None:
    """Let a venue with a preset leave out what the preset states, and no other venue."""
    venue = definitions["Venue"]
    kind: dict[str, Any] = {"required": ["kind"]}
    blocks = {"margin": kind, "mark": kind, "liquidation": kind}
    venue["properties"]["preset"]["anyOf"][0] = {"enum": list(list_presets())}
    venue["anyOf"] = [{"required": ["preset"]}, {"required": ["margin"], "properties": blocks}]
    merged = ["Margin", *(name for name in definitions if name.endswith(("Mark", "Liquidation")))]
    for name in merged:
        left = [key for key in definitions[name].pop("required", ()) if key != "kind"]
        definitions[name] |= {"required": left} if left else {}
    definitions["MedianMark"]["properties"]["of"]["items"] |= kind


def _node(node: Any) -> Any:
    """Return a part of the schema in the words of the dialect and of a user's file."""
    if isinstance(node, list):
        return [_node(item) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {BOUNDS.get(str(k), str(k)): _node(v) for k, v in node.items()}
    result.pop("discriminator", None)
    if "properties" in node:
        return _block(result)
    if isinstance(result.get("title"), str):
        del result["title"]
    if "patternProperties" in result:
        ((pattern, values),) = result.pop("patternProperties").items()
        result |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
    return _choices(_written(result) if "written" in result else result)


def _block(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block without generated titles; the key that names its variant is required."""
    block.pop("title", None)
    for key in ("kind", "dist"):
        choice = block["properties"].get(key, {})
        if "const" in choice and "default" in choice:
            del choice["default"]
            block["required"] = sorted({*block.get("required", ()), key})
    return block


def _written(node: dict[str, Any]) -> dict[str, Any]:
    """Return a number as number or text."""
    name = node.pop("written")
    number = {key: node.pop(key) for key in NUMERIC if key in node}
    return {"anyOf": [number, {"$ref": f"#/$defs/{name}"}], **node}


def _choices(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node whose choices within choices are one list."""
    if "anyOf" not in node and "oneOf" not in node:
        return node
    key = "oneOf" if "oneOf" in node else "anyOf"
    flat: list[Any] = []
    for choice in node[key]:
        inner = [other for other in ("anyOf", "oneOf") if list(choice) == [other]]
        flat += choice[inner[0]] if inner else [choice]
    rest = {other: value for other, value in node.items() if other != key}
    return {"anyOf": flat, **rest}
