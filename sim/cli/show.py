"""``liqsim show``: one bundled venue or scenario."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from sim.cli.options import Json, no_such


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
    from sim.core.errors import ScenarioError
    from sim.schema import list_presets, list_versions, preset, preset_notes
    from sim.schema.preset_notes import defaults, leaves

    plain = name.split("@", maxsplit=1)[0]
    try:
        venue = preset(name)
    except ScenarioError:
        known = list_versions(plain) if plain in list_presets() else list_presets()
        raise typer.BadParameter(no_such("bundled venue", name, known), param_hint="NAME") from None
    if as_json:
        emit_json({"name": name, **venue})
        return
    notes = preset_notes(name)
    venue.pop("meta")
    figures = venue.pop("figures", None)
    versions = ", ".join(list_versions(plain))
    emit(f"{name}\n{notes.title}\nas of {notes.as_of}; versions: {versions}\n")
    for key in ("modelled", "simplified", "unknown"):
        emit(f"{key}:\n" + "".join(f"  - {_one_line(text)}\n" for text in getattr(notes, key)))
    tiers = venue.get("margin", {}).pop("tiers", None) or {}
    rules = [(place, _cell(value), notes.source_of(place) or "") for place, value in leaves(venue)]
    rules += [(at, "none" if x is None else _cell(x), "default") for at, x in defaults(name)]
    blocks = [_block(place) for place, _, _ in rules]
    rules.sort(key=lambda rule: blocks.index(_block(rule[0])))
    emit_table(
        "rules (default: what stands where the venue states nothing)",
        ("key", "value", "source"),
        rules,
        left=3,
    )
    if figures:
        rows = list(leaves({"figures": figures}))
        shown = [
            (at.removeprefix("figures."), _cell(x), notes.source_of(at) or "") for at, x in rows
        ]
        emit_table("figures for formulas outside a run", ("key", "value", "source"), shown, left=3)
    for base, steps in (tiers if isinstance(tiers, Mapping) else {"all": tiers}).items():
        columns = list(dict.fromkeys(key for step in steps for key in step))
        source = notes.source_of(f"margin.tiers.{base}") or ""
        rows_ = [(*(_cell(step.get(key)) for key in columns), source) for step in steps]
        emit_table(f"margin tiers: {base}", [*columns, "source"], rows_, left=0)
    sources = [(key, one.as_of, one.seen, one.text) for key, one in notes.sources.items()]
    emit_table("sources", ("source", "as of", "seen", "what"), sources, left=4)


def _block(place: str) -> tuple[str, ...]:
    """Return the block of a dotted place, with the number of the layer in a waterfall."""
    first, second = (*place.split("."), "")[:2]
    return (first, second) if second.isdigit() else (first,)


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.12g}"
    return "-" if value is None else str(value)
