"""Numbers as a user writes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from sim.schema.units import (
    parse_count,
    parse_duration,
    parse_fraction,
    parse_instant,
    parse_number,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_duration, "500ms", 0.5),
        (parse_duration, "30s", 30.0),
        (parse_duration, "10 min", 600.0),
        (parse_duration, "2h", 7200.0),
        (parse_duration, "1d", 86400.0),
        (parse_duration, "0.1d", 8640.0),
        (parse_duration, 5, 5.0),
        (parse_duration, "1e3ms", 1.0),
        (parse_fraction, "0.5%", 0.005),
        (parse_fraction, "0.07%", 0.0007),
        (parse_fraction, "-12%", -0.12),
        (parse_fraction, "40bps", 0.004),
        (parse_fraction, "1bp", 0.0001),
        (parse_fraction, 0.5, 0.5),
        (parse_number, "1e7", 1e7),
        (parse_number, "100_000", 1e5),
        (parse_number, ".5", 0.5),
        (parse_number, "+3.", 3.0),
        (parse_count, "100_000", 100_000),
        (parse_count, 1e5, 100_000),
        (parse_count, 2**70, 2**70),
    ],
)
def test_written_values(parse: Callable[[Any], float], text: Any, value: float) -> None:
    """Units are exact: 0.07 % is the float nearest to 0.0007."""
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "bad"),
    [
        (parse, bad)
        for parse in (parse_number, parse_duration, parse_fraction, parse_count)
        for bad in (
            True,
            False,
            None,
            "",
            " ",
            "nan",
            "inf",
            "-inf",
            "1__0",
            "_1",
            "1_",
            "0x10",
            "1,000",
            "one",
            "1 2",
            "5 %%",
            math.nan,
            math.inf,
            [],
            {},
            10**400,
            "1e999",
        )
    ]
    + [
        (parse_duration, "5m"),
        (parse_duration, "5 S"),
        (parse_duration, "5%"),
        (parse_fraction, "5s"),
        (parse_fraction, "5 BPS"),
        (parse_number, "5%"),
        (parse_count, 1.5),
        (parse_count, "1.5"),
    ],
)
def test_refused_values(parse: Callable[[Any], float], bad: Any) -> None:
    """Booleans, NaN, infinities, strange digits and foreign units are refused."""
    if parse is parse_count and bad == 10**400:
        assert parse_count(bad) == bad  # whole numbers have no upper end
        return
    with pytest.raises(PydanticCustomError):
        parse(bad)


@given(FINITE)
def test_a_number_reads_back(value: float) -> None:
    """Text of a float gives the same float, in every reader."""
    for parse in (parse_number, parse_duration, parse_fraction):
        assert parse(repr(value)) == value
        assert parse(value) == value


@given(st.decimals(-(10**6), 10**6, places=4))
def test_percent_is_exact(value: Any) -> None:
    """A percentage is the float nearest to its hundredth, and basis points agree."""
    assert parse_fraction(f"{value}%") == float(value / 100)
    assert parse_fraction(f"{value}%") == parse_fraction(f"{value * 100}bps")


@given(st.integers(0, 10**9))
def test_durations_agree_between_units(value: int) -> None:
    """A minute is 60 seconds and 60,000 milliseconds."""
    assert parse_duration(f"{value}min") == parse_duration(f"{value * 60}s")
    assert parse_duration(f"{value}s") == parse_duration(f"{value * 1000}ms")
    assert parse_duration(f"{value}d") == parse_duration(f"{value * 24}h")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2025-10-10", "2025-10-10T00:00:00Z"),
        ("2025-10-10T20:50:00Z", "2025-10-10T20:50:00Z"),
        ("2025-10-10 22:50:00+02:00", "2025-10-10T20:50:00Z"),
    ],
)
def test_instants_are_utc(written: str, instant: str) -> None:
    """A time without zone is UTC; others are converted."""
    assert parse_instant(written) == instant


@pytest.mark.parametrize("bad", ["yesterday", "2025-13-01", 5, None, "0001-01-01T00:00:00+12:00"])
def test_bad_instants(bad: Any) -> None:
    """What is no time within the calendar is refused."""
    with pytest.raises(PydanticCustomError):
        parse_instant(bad)
