"""Write ``docs/venues.md`` from the bundled venues.

Run it from the folder of the repository with ``python docs/build_venues.py`` after a change of a
preset; ``tests/docs`` refuses a page that is out of date.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sim.schema import PresetNotes, list_presets, list_versions, preset, preset_notes
from sim.schema.preset_notes import leaves

PAGE = Path(__file__).resolve().parent / "venues.md"

HEAD = """# Bundled venues

Venue by venue: what is modelled, what is simplified, what is unknown, and where each figure comes
from. This page is written by `docs/build_venues.py` from the presets in `sim/schema/presets/`; do
not edit it by hand. `liqsim show venue NAME` shows the same. A scenario says `preset: NAME` under
a venue, or `preset: NAME@DATE` for the rules at a date, and overrides any key beside it;
[mechanisms.md](mechanisms.md) has the formula behind each rule.

A source that was *stored* was read in a stored copy; *memory* means that no source was read;
*assumed* is no figure of the venue but a choice made here. Check dated figures before you rely on
them.

| preset | as of | what |
|---|---|---|
"""


def cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, bool) or value is None:
        return "-" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.10g}" if isinstance(value, float) else f"`{value}`"


def anchor(name: str) -> str:
    return name.replace("@", "").lower()


def listed(title: str, texts: list[str]) -> list[str]:
    return [f"**{title}**", "", *(f"- {' '.join(text.split())}" for text in texts), ""]


def figures_of(data: dict[str, Any], notes: PresetNotes) -> list[str]:
    """Return the rules as a table, ladders of tiers in one line each."""
    lines = ["| key | value | source |", "|---|---|---|"]
    rules = {key: value for key, value in data.items() if key != "meta"}
    tiers = rules.get("margin", {}).pop("tiers", None) or {}
    for place, value in leaves(rules):
        lines.append(f"| `{place}` | {cell(value)} | {notes.source_of(place) or ''} |")
    for base, steps in tiers.items():
        text = "; ".join(
            f"{step['floor']:,}: {step['rate']:.6g}"
            + (f", {step['max_leverage']:g}x" if "max_leverage" in step else "")
            for step in steps
        )
        place = f"margin.tiers.{base}"
        lines.append(f"| `{place}` (floor: rate, leverage) | {text} | {notes.source_of(place)} |")
    return lines


def section(name: str) -> list[str]:
    data, notes = preset(name), preset_notes(name)
    lines = [f"## {name}", "", f"{notes.title}; as of {notes.as_of}.", ""]
    older = list_versions(name)[:-1]
    for version in older:
        first = preset_notes(version).modelled[0]
        lines += [f"Older version `{version}`: {' '.join(first.split())}", ""]
    lines += listed("Modelled", notes.modelled)
    lines += listed("Simplified", notes.simplified)
    lines += listed("Unknown", notes.unknown)
    lines += [*figures_of(data, notes), ""]
    lines += ["| source | as of | seen | what |", "|---|---|---|---|"]
    lines += [f"| {k} | {s.as_of} | {s.seen} | {s.text} |" for k, s in notes.sources.items()]
    return [*lines, ""]


def page() -> str:
    names = list_presets()
    notes = {name: preset_notes(name) for name in names}
    index = [f"| [{n}](#{anchor(n)}) | {notes[n].as_of} | {notes[n].title} |" for n in names]
    body = [line for name in names for line in section(name)]
    return HEAD + "\n".join([*index, "", *body]).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
