"""``liqsim show``: one bundled venue or scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from sim.cli.options import Json, no_such

META = ("title", "as_of", "sources", "modelled", "simplified", "unknown")
"""What a preset says about itself, in the order it is shown."""


class Kind(StrEnum):
    """What can be shown."""

    VENUE = "venue"
    SCENARIO = "scenario"


def show(
    kind: Annotated[Kind, typer.Argument(metavar="venue|scenario", help="What to show.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, as in 'liqsim list'.")],
    as_json: Json = False,
) -> None:
    """Show a bundled venue with its sources, or a bundled scenario."""
    if kind is Kind.VENUE:
        _show_venue(name, as_json=as_json)
    else:
        _show_scenario(name, as_json=as_json)


def _show_scenario(name: str, *, as_json: bool) -> None:
    from sim.cli.bundled import bundled
    from sim.cli.console import emit, emit_json

    known = bundled()
    if name not in known:
        raise typer.BadParameter(no_such("bundled scenario", name, known), param_hint="NAME")
    if as_json:
        from sim.schema import canonical, load

        emit_json(canonical(load(known[name])))
    else:
        emit(known[name].read_text(encoding="utf-8").rstrip("\n") + "\n")


def _show_venue(name: str, *, as_json: bool) -> None:
    from sim.cli.console import emit, emit_json, emit_table
    from sim.schema import list_presets, preset

    known = list_presets()
    if name not in known:
        raise typer.BadParameter(no_such("bundled venue", name, known), param_hint="NAME")
    venue = preset(name)
    if as_json:
        emit_json({"name": name, **venue})
        return
    meta = venue.pop("meta", {})
    emit(f"{name}\n")
    for key in [*META, *(key for key in meta if key not in META)]:
        if key in meta:
            emit(_labelled(key, meta[key]))
    tiers = venue.get("margin", {}).pop("tiers", None) or {}
    emit_table("rules", ("key", "value"), _flat(venue), left=2)
    for base, steps in (tiers if isinstance(tiers, Mapping) else {"all": tiers}).items():
        columns = list(dict.fromkeys(key for step in steps for key in step))
        rows = [tuple(_cell(step.get(key)) for key in columns) for step in steps]
        emit_table(f"margin tiers: {base}", columns, rows, left=0)


def _labelled(key: str, value: Any) -> str:
    """Return a block of the preset's own notes: one line, or one line per entry."""
    if isinstance(value, (str, int, float)) or not isinstance(value, (Sequence, Mapping)):
        return f"{key}: {value}\n"
    entries = value.items() if isinstance(value, Mapping) else ((None, entry) for entry in value)
    return f"{key}:\n" + "".join(f"  - {_entry(label, entry)}\n" for label, entry in entries)


def _entry(label: object, entry: Any) -> str:
    if isinstance(entry, Mapping):
        text = ", ".join(f"{key}: {_one_line(value)}" for key, value in entry.items())
    else:
        text = _one_line(entry)
    return text if label is None else f"{label}: {text}"


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Return nested rules as rows of dotted key and value."""
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        return [(path, _cell(value))]
    return [row for key, item in items for row in _flat(item, f"{path}.{key}" if path else key)]


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.12g}"
    return "-" if value is None else str(value)
