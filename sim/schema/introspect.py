"""What the models say about themselves: the keys and choices at a place of a scenario."""

from __future__ import annotations

import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sim.schema.scenario import Scenario


def keys_at(loc: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the keys of the block at a pydantic location; empty if there is no block."""
    candidates: list[Any] = [Scenario]
    for part in loc:
        if part == "[key]":
            continue
        candidates = _step(candidates, part)
    keys: dict[str, None] = {}
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            keys.update(dict.fromkeys(key_names(candidate)))
    return tuple(keys)


def key_names(model: type[BaseModel]) -> list[str]:
    """Return the keys of a block as a file writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def literals_at(expected: str) -> list[str]:
    """Return the choices in pydantic's text of expected values."""
    return re.findall(r"'([^']*)'", expected) or [
        part.strip() for part in re.split(r",| or ", expected) if part.strip()
    ]


def _step(candidates: list[Any], part: Any) -> list[Any]:
    """Return the types one part of a location further."""
    tagged = [c for c in candidates if _has_tag(c, part)]
    if tagged and len(candidates) > 1:
        return tagged
    if isinstance(part, str) and part.startswith("<"):
        wanted = {"<cohort>": "Cohort", "<book>": "BookSource"}.get(part)
        return [c for c in candidates if wanted is None or getattr(c, "__name__", "") == wanted]
    below: list[Any] = []
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            for name, field in candidate.model_fields.items():
                if part in (name, field.alias):
                    below += members(field.annotation)
        elif get_origin(candidate) in (list, dict, tuple):
            below += members(get_args(candidate)[-1])
    return below


def _has_tag(candidate: Any, part: Any) -> bool:
    if not (isinstance(candidate, type) and issubclass(candidate, BaseModel)):
        return False
    fields: list[FieldInfo] = [
        field for name, field in candidate.model_fields.items() if name in ("kind", "dist")
    ]
    return any(part in get_args(field.annotation) for field in fields)


def members(annotation: Any) -> list[Any]:
    """Return the plain types an annotation allows, without `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in members(part)]
    if origin is Literal or annotation is type(None):
        return []
    return [annotation]
