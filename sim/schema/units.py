"""Numbers as a user writes them: ``30s``, ``10min``, ``0.5%``, ``50bps``, ``1e7``, ``100_000``.

Durations become seconds and fractions become plain numbers, both as ``float``. NaN, infinities
and booleans are refused everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sim.schema.base import finding_error, show

SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
"""Seconds per unit of duration."""

FRACTIONS = {"%": Decimal("0.01"), "bps": Decimal("0.0001"), "bp": Decimal("0.0001")}
"""Value of one unit of a fraction."""

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
NUMBER_PATTERN = rf"[-+]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?[0-9]+)?"
"""Regular expression of a plain number."""

_QUANTITY = re.compile(rf"\s*({NUMBER_PATTERN})\s*([A-Za-z%]*)\s*")

NUMBER_ALLOWED = "a number such as 250, 1e7 or 100_000"
DURATION_ALLOWED = "a duration such as 500ms, 30s, 10min, 2h or 1d (a plain number is seconds)"
FRACTION_ALLOWED = "a fraction such as 0.005, 0.5% or 50bps"
QUANTITY_ALLOWED = "a number such as 250, 1e7, 0.5%, 40bps or 30s"
COUNT_ALLOWED = "a whole number such as 250 or 100_000"


def _quantity(value: Any, units: dict[str, Decimal], allowed: str) -> float:
    """Return a number, or text of a number and one of `units`, as a finite float."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise finding_error(show(value), allowed)
    if isinstance(value, str):
        number = _text_quantity(value, units, allowed)
    else:
        try:
            number = float(value)
        except OverflowError:
            raise finding_error("a number beyond 1.8e308", allowed) from None
    if not math.isfinite(number):
        raise finding_error(show(value), f"{allowed}; it must be finite")
    return number


def _text_quantity(text: str, units: dict[str, Decimal], allowed: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise finding_error(show(text), allowed)
    digits, unit = match.group(1).replace("_", ""), match.group(2)
    if unit and unit not in units:
        known = ", ".join(units) or "none"
        near = unit.lower() if unit.lower() in units else None
        raise finding_error(
            f"{show(text)} with the unknown unit '{unit}'", f"{allowed}; units: {known}", near
        )
    if not unit:
        return float(digits)
    try:
        return float(Decimal(digits) * units[unit])
    except (InvalidOperation, ArithmeticError):
        raise finding_error(show(text), allowed) from None


def parse_number(value: Any) -> float:
    """Return a plain number, such as ``1e7`` or ``'100_000'``, as a float.

    Raises
    ------
    PydanticCustomError
        For text that is no number, a boolean, NaN or an infinity.
    """
    return _quantity(value, {}, NUMBER_ALLOWED)


def parse_duration(value: Any) -> float:
    """Return a duration [s]; a plain number is seconds.

    Examples
    --------
    >>> parse_duration("10min"), parse_duration("0.1d"), parse_duration(2)
    (600.0, 8640.0, 2.0)
    """
    return _quantity(value, SECONDS, DURATION_ALLOWED)


def parse_fraction(value: Any) -> float:
    """Return a fraction [1]; ``0.5%`` is 0.005 and ``50bps`` is 0.005.

    Examples
    --------
    >>> parse_fraction("0.5%"), parse_fraction("40bps"), parse_fraction(-0.12)
    (0.005, 0.004, -0.12)
    """
    return _quantity(value, FRACTIONS, FRACTION_ALLOWED)


def parse_quantity(value: Any) -> float:
    """Return a number of any kind: plain, a duration [s] or a fraction [1]."""
    return _quantity(value, {**SECONDS, **FRACTIONS}, QUANTITY_ALLOWED)


def parse_count(value: Any) -> int:
    """Return a whole number; ``1e5`` and ``'100_000'`` are whole numbers too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(rf"\s*[-+]?{_DIGITS}\s*", value):
        return int(value)
    number = _quantity(value, {}, COUNT_ALLOWED)
    if number != int(number):
        raise finding_error(show(value), COUNT_ALLOWED)
    return int(number)


def parse_instant(value: Any) -> str:
    """Return an ISO-8601 instant as text in UTC; a time without zone is UTC."""
    allowed = "an ISO-8601 time such as 2025-10-10T20:50:00Z"
    instant: datetime
    if isinstance(value, datetime):
        instant = value
    elif isinstance(value, date):
        instant = datetime(value.year, value.month, value.day)
    elif isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value.strip())
        except ValueError:
            raise finding_error(show(value), allowed) from None
    else:
        raise finding_error(show(value), allowed)
    try:
        utc = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        raise finding_error(show(value), allowed) from None
    return utc.isoformat().replace("+00:00", "Z")


class Written:
    """How a value may be written: a parser, and the name of its text form in the JSON Schema."""

    def __init__(self, parse: Callable[[Any], Any], text: str | None) -> None:
        self.parse = parse
        self.text = text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.parse, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        written = handler(schema)
        if self.text is not None:
            written["written"] = self.text
        return written


TEXT_PATTERNS = {
    "NumberText": rf"^{NUMBER_PATTERN}$",
    "DurationText": rf"^{NUMBER_PATTERN} ?(?:{'|'.join(SECONDS)})?$",
    "FractionText": rf"^{NUMBER_PATTERN} ?(?:{'|'.join(FRACTIONS)})?$",
    "QuantityText": rf"^{NUMBER_PATTERN} ?(?:{'|'.join((*SECONDS, *FRACTIONS))})?$",
    "CountText": rf"^[-+]?{_DIGITS}$",
}
"""Regular expressions of numbers written as text, by name in the JSON Schema."""

Number = Annotated[float, Written(parse_number, "NumberText")]
"""A finite number."""

Duration = Annotated[float, Written(parse_duration, "DurationText")]
"""A duration [s]."""

Fraction = Annotated[float, Written(parse_fraction, "FractionText")]
"""A fraction [1]."""

Quantity = Annotated[float, Written(parse_quantity, "QuantityText")]
"""A number of any kind: plain, a duration [s] or a fraction [1]."""

Count = Annotated[int, Written(parse_count, "CountText")]
"""A whole number."""

Instant = Annotated[str, Written(parse_instant, None)]
"""An instant, ISO-8601 in UTC."""


class Named:
    """Text that must match a pattern, with an English sentence for who gets it wrong."""

    def __init__(self, pattern: str, allowed: str) -> None:
        self.pattern = pattern
        self.allowed = allowed

    def check(self, value: str) -> str:
        """Return `value` if it matches the whole pattern."""
        if re.fullmatch(self.pattern, value) is None:
            raise finding_error(show(value), self.allowed)
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}


Slug = Annotated[
    str,
    Named(r"[a-z0-9][a-z0-9._-]*", "small letters, digits, '.', '_' and '-', first no sign"),
]
"""A name that is safe in a file name."""

Name = Annotated[str, Named(r"[A-Za-z0-9_-]+", "letters, digits, '_' and '-'")]
"""Name of a venue or asset."""

Symbol = Annotated[str, Named(r"[A-Za-z0-9._:-]+", "letters, digits and any of '. _ : -'")]
"""Symbol of a market."""

Label = Annotated[
    str,
    Named(
        r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,38}[^\x00-\x20\x7f])?",
        "one line of 1 to 40 characters, without a space at either end",
    ),
]
"""A few words for figures."""


def _file(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise finding_error(show(value), "the path of a file")
    return value


FilePath = Annotated[str, AfterValidator(_file)]
"""Path of a file, relative to the scenario file."""
