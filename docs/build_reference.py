"""Write ``docs/scenario-reference.md`` from what the models of a scenario say about themselves.

Run it from the folder of the repository with ``python docs/build_reference.py`` after a change of
a key, a unit, a bound, a default or a text; ``tests/docs`` refuses a page that is out of date.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sim.schema import Scenario
from sim.schema.units import Named, Written

PAGE = Path(__file__).resolve().parent / "scenario-reference.md"

HEAD = """# Scenario reference

Every key that a scenario file may have, by block, in the order of the file. This page is written
by `docs/build_reference.py` from the same declarations that check a file; do not edit it by hand.
[scenario.md](scenario.md) explains how the parts work together.

A block in angle brackets is a name you choose; `[]` is an item of a list. *Required* keys have no
default. `-` means that nothing is assumed, as the text says. Unknown keys are refused.

| form | examples | becomes |
|---|---|---|
| number | `250`, `1e7`, `100_000` | a finite number |
| whole number | `250`, `100_000`, `1e5` | an integer |
| duration | `500ms`, `30s`, `10min`, `2h`, `1d`, `30` | seconds |
| fraction | `0.005`, `0.5%`, `50bps` | a plain number, 1 is the whole |
| instant | `2025-10-10T20:50:00Z` | UTC; a time without zone is UTC |
"""

FORMS = {
    "NumberText": "number",
    "DurationText": "duration",
    "FractionText": "fraction",
    "CountText": "whole number",
    None: "instant",
}
SIGNS = ((Gt, "gt", "> "), (Ge, "ge", ">= "), (Lt, "lt", "< "), (Le, "le", "<= "))
UNIONS = (Union, types.UnionType)


def is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models an annotation leads to, in order."""
    if is_model(annotation):
        return [annotation]
    found = [model for part in get_args(annotation) for model in models_in(part)]
    return list(dict.fromkeys(found))


def form(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """Return in words how a value is written."""
    for item in metadata:
        if isinstance(item, Written):
            return FORMS[item.text]
        if isinstance(item, Named):
            return "name"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return form(parts[0], parts[1:])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in UNIONS:
        words = dict.fromkeys(form(part) for part in parts if part is not type(None))
        return " or ".join(words)
    if origin is list:
        return f"list of {form(parts[0])}".replace("of block", "of blocks")
    if origin is tuple:
        return "pair of " + " and ".join(form(part) for part in parts)
    if origin is dict:
        return f"mapping from {form(parts[0])} to {form(parts[1])}"
    return {str: "text", bool: "`true`, `false`", float: "number", int: "whole number"}.get(
        annotation, "block"
    )


def bounds(field: FieldInfo) -> str:
    """Return the bounds of a value, such as ``> 0, <= 1``."""
    found = []
    for item in field.metadata:
        found += [
            f"{word}{getattr(item, name):,.12g}"
            for kind, name, word in SIGNS
            if isinstance(item, kind)
        ]
        if isinstance(item, MinLen):
            found.append(f"at least {item.min_length}")
    return ", ".join(found)


def default(field: FieldInfo) -> str:
    """Return the default of a key as a file would write it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "-"
    if is_model(type(value)):
        kind = getattr(value, "kind", None)
        return f"`{{kind: {kind}}}`" if kind else "its defaults"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (list, dict)):
        return f"`[{', '.join(value)}]`" if value else "empty"
    if isinstance(value, float):
        return f"`{value:.12g}`"
    return f"`{value}`" if value != "" else "empty"


def row(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = extra["unit"] if isinstance(extra, dict) else "-"
    cells = [
        f"`{field.alias or name}`",
        form(field.annotation, tuple(field.metadata)),
        "" if unit == "-" else str(unit),
        bounds(field),
        default(field),
        str(field.description),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield "| key | form | unit | bounds | default | meaning |"
    yield "|---|---|---|---|---|---|"
    yield from (row(name, field) for name, field in fields.items())
    yield ""


def tag(model: type[BaseModel]) -> str:
    """Return the key by which a variant is chosen, or nothing."""
    return next((key for key in ("kind", "dist") if key in model.model_fields), "")


def text(model: type[BaseModel]) -> str:
    doc = (model.__doc__ or "").replace("``", "`")
    return " ".join(doc.split())


def variants(models: list[type[BaseModel]]) -> Iterator[str]:
    """Yield the shared keys of several variants, then each with its own."""
    key = tag(models[0])
    shared = {
        name: field
        for name, field in models[0].model_fields.items()
        if name != key
        and len(models) > 1
        and all(
            name in other.model_fields
            and other.model_fields[name].description == field.description
            and other.model_fields[name].is_required() == field.is_required()
            for other in models
        )
    }
    if shared:
        yield "Keys of every kind:"
        yield ""
        yield from table(shared)
    for model in models:
        (name,) = get_args(model.model_fields[key].annotation)
        yield f"**`{key}: {name}`**: {text(model)}"
        yield ""
        own = {k: f for k, f in model.model_fields.items() if k != key and k not in shared}
        if own:
            yield from table(own)


def below(path: str, model: type[BaseModel]) -> Iterator[tuple[str, list[type[BaseModel]]]]:
    """Yield the blocks below a block with their paths."""
    for name, field in model.model_fields.items():
        models = models_in(field.annotation)
        if models:
            key = field.alias or name
            shape = str(field.annotation)
            inner = f"{key}.<name>" if shape.startswith("dict") else key
            inner += "[]" if shape.startswith("list") else ""
            yield (f"{path}.{inner}" if path else inner), models


def blocks() -> dict[tuple[type[BaseModel], ...], list[str]]:
    """Return every block of a scenario with the places where it may stand."""
    found: dict[tuple[type[BaseModel], ...], list[str]] = {}
    waiting: list[tuple[str, list[type[BaseModel]]]] = [("", [Scenario])]
    while waiting:
        path, models = waiting.pop(0)
        places = found.setdefault(tuple(models), [])
        if path in places:
            continue
        places.append(path)
        inner = []
        for model in models:
            choice = tag(model) and get_args(model.model_fields[tag(model)].annotation)
            here = f"{path} ({choice[0]})" if choice and len(models) > 1 else path
            inner += list(below(here, model))
        waiting = inner + waiting
    return found


def page() -> str:
    """Return the page."""
    lines, found = [HEAD], blocks()
    for models, places in found.items():
        title = places[0] or "The file"
        lines += [f"## {title if not places[0] else f'`{title}`'}", ""]
        if len(places) > 1:
            lines += ["Also: " + ", ".join(f"`{place}`" for place in places[1:]) + ".", ""]
        whole = next((p[0] for m, p in found.items() if m != models and {*models} <= {*m}), None)
        if whole and len(models) > 1:
            kinds = ", ".join(f"`{get_args(m.model_fields[tag(m)].annotation)[0]}`" for m in models)
            lines += [f"The kinds {kinds} of `{whole}`.", ""]
            continue
        if tag(models[0]) and len(models) > 1:
            lines += variants(list(models))
            continue
        for model in models:
            first = next(iter(model.model_fields))
            which = f"**With the key `{first}`**: " if len(models) > 1 else ""
            lines += [which + text(model), ""]
            lines += table(model.model_fields)
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
