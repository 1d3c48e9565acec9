"""What the models say about themselves: the keys and choices at a place of a file."""

from __future__ import annotations

import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from sim.schema.scenario import Scenario


def keys_at(loc: tuple[Any, ...], root: type[BaseModel] = Scenario) -> tuple[str, ...]:
    """Return the keys of the block at a pydantic location; empty if there is no block."""
    return tuple(dict.fromkeys(key for model in models_at(loc, root) for key in key_names(model)))


def kinds_at(loc: tuple[Any, ...], root: type[BaseModel] = Scenario) -> tuple[str, ...]:
    """Return the kinds of the variants at a pydantic location; empty if there is one block."""
    models = models_at(loc, root)
    return tuple(kind for model in models for kind in _tags(model)) if len(models) > 1 else ()


def models_at(loc: tuple[Any, ...], root: type[BaseModel] = Scenario) -> list[type[BaseModel]]:
    """Return the models that may stand at a pydantic location of a file of model `root`."""
    candidates: list[Any] = [root]
    for part in loc:
        if part != "[key]":
            candidates = _step(candidates, part)
    return [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]


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
    is_model = isinstance(candidate, type) and issubclass(candidate, BaseModel)
    return is_model and part in _tags(candidate)


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the kinds that one variant goes by."""
    for name in ("kind", "dist"):
        if name in model.model_fields:
            return get_args(model.model_fields[name].annotation)
    return ()


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
