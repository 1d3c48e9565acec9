"""What every schema class shares: frozen models, attributes said once, findings with a place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

FINDING = "liqsim"
"""Error type under which pydantic carries a :class:`Finding`."""


class Model(BaseModel):
    """A frozen block of a scenario that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


def attribute(
    description: str,
    unit: str,
    default: Any = ...,
    *,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    alias: str | None = None,
    factory: Callable[[], Any] | None = None,
    min_length: int | None = None,
) -> Any:
    """Declare an attribute: its text, unit, default and bounds, once.

    Parameters
    ----------
    description : str
        One sentence for documentation, JSON Schema and reports.
    unit : str
        Unit such as ``s``, ``quote``, ``1`` (a fraction) or ``-`` (no quantity).
    default : Any
        Default; ``...`` makes the attribute required.
    gt, ge, lt, le : float or None
        Bounds.
    alias : str or None
        Key in a file where it differs from the attribute's name.
    factory : callable or None
        Maker of a mutable default.
    min_length : int or None
        Fewest entries of a list or mapping.
    """
    if factory is not None:
        return Field(
            default_factory=factory,
            description=description,
            json_schema_extra={"unit": unit},
            min_length=min_length,
        )
    return Field(
        default,
        description=description,
        json_schema_extra={"unit": unit},
        gt=gt,
        ge=ge,
        lt=lt,
        le=le,
        alias=alias,
        min_length=min_length,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong, at a path below the block that was checked."""

    path: tuple[str | int, ...]
    found: str
    allowed: str
    hint: str | None = None


def finding_error(found: str, allowed: str, hint: str | None = None) -> PydanticCustomError:
    """Return the error a field validator raises for one finding."""
    context = {"found": found, "allowed": allowed, "hint": hint}
    return PydanticCustomError(FINDING, "found {found}; allowed: {allowed}", context)


def refuse(title: str, findings: Iterable[Finding]) -> None:
    """Raise one `ValidationError` with all `findings`; return quietly when there are none."""
    details = [
        InitErrorDetails(
            type=finding_error(item.found, item.allowed, item.hint), loc=item.path, input=None
        )
        for item in findings
    ]
    if details:
        raise ValidationError.from_exception_data(title, details, hide_input=True)


def no_switch(value: Any) -> Any:
    """Return a version; ``true`` is not 1."""
    if isinstance(value, bool):
        raise finding_error(show(value), "1")
    return value


def by_shape(value: Any) -> str:
    """Tell a mapping or block from anything else: the two ways some keys may be written."""
    return "<map>" if isinstance(value, (dict, BaseModel)) else "<one>"


def show(value: Any, limit: int = 60) -> str:
    """Return a value as a message shows it: short, text in quotes, a mapping by its keys."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        keys = ", ".join(map(str, value)) or "none"
        text = f"a mapping with keys {keys}"
    elif isinstance(value, (list, tuple)):
        text = f"a list of {len(value)}"
    else:
        text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
