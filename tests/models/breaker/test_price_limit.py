"""Price limits around an index, with the figures of the bundled venue."""

from __future__ import annotations

import pytest

from sim.models.breaker import price_limits
from sim.schema import preset


@pytest.mark.parametrize(
    ("premium", "low", "high"),
    [
        (1_500.0, 99_500.0, 103_500.0),
        (0.0, 98_000.0, 102_000.0),
        (4_000.0, 100_000.0, 105_000.0),  # at the index, and at the outer limit
        (-4_000.0, 95_000.0, 100_000.0),
    ],
)
def test_okx_limits_of_btc(premium: float, low: float, high: float) -> None:
    rules = preset("okx")["figures"]["price_limit"]
    found = price_limits(100_000.0, premium, rules["y"], rules["z"])
    assert found == (pytest.approx(low), pytest.approx(high))
