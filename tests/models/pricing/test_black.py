"""Option values against published examples and the identities they must meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.models.pricing import Legs, black_value


def test_hull_spot_option() -> None:
    """Hull: S 42, K 40, r 10 %, volatility 20 %, half a year: call 4.76, put 0.81."""
    forward = 42.0 * np.exp(0.1 * 0.5)
    assert black_value("call", forward, 40.0, 0.5, 0.2, 0.1) == pytest.approx(4.759422, abs=5e-7)
    assert black_value("put", forward, 40.0, 0.5, 0.2, 0.1) == pytest.approx(0.808599, abs=5e-7)


def test_hull_futures_put_and_index_call() -> None:
    """Hull: put on a future 1.12; call on an index with a yield of 3 % 51.83."""
    put = black_value("put", 20.0, 20.0, 4 / 12, 0.25, 0.09)
    assert put == pytest.approx(1.116641, abs=5e-7)
    forward = 930.0 * np.exp((0.08 - 0.03) * 2 / 12)
    call = black_value("call", forward, 900.0, 2 / 12, 0.2, 0.08)
    assert call == pytest.approx(51.832957, abs=5e-7)


@given(
    st.floats(1.0, 1e6), st.floats(0.2, 5.0), st.floats(0.0, 3.0), st.floats(0.0, 3.0)
)  # fmt: skip
def test_parity_and_bounds(forward: float, ratio: float, years: float, volatility: float) -> None:
    """Call less put is forward less strike; a value lies between payoff and forward or strike."""
    strike = forward * ratio
    call = float(black_value("call", forward, strike, years, volatility))
    put = float(black_value("put", forward, strike, years, volatility))
    size = forward + strike
    assert call - put == pytest.approx(forward - strike, abs=1e-12 * size)
    assert max(forward - strike, 0.0) - 1e-12 * size <= call <= forward * (1.0 + 1e-12)
    assert max(strike - forward, 0.0) - 1e-12 * size <= put <= strike * (1.0 + 1e-12)


def test_an_expired_option_is_its_payoff() -> None:
    """At the money, where the formula is undefined, it is worth nothing."""
    assert black_value("call", np.array([90.0, 100.0, 120.0]), 100.0, 0.0, 0.5).tolist() == [
        0,
        0,
        20,
    ]
    assert black_value("put", np.array([90.0, 100.0, 120.0]), 100.0, 0.3, 0.0).tolist() == [
        10,
        0,
        0,
    ]


def test_bad_values_are_refused() -> None:
    """No price below 0, no negative time, no leg of an unknown kind."""
    with pytest.raises(ValueError, match="above 0"):
        black_value("call", -1.0, 1.0, 1.0, 0.2)
    with pytest.raises(ValueError, match="0 or more"):
        black_value("call", 1.0, 1.0, -1.0, 0.2)
    one = np.ones(1)
    with pytest.raises(ValueError, match="'swap' is none of future, call, put"):
        Legs(("swap",), one, one, one, one)
    with pytest.raises(ValueError, match="quantity must have one value"):
        Legs(("call",), np.ones(2), one, one, one)


def test_deltas() -> None:
    """A future has delta 1; Hull's call (S 49, K 50, r 5 %, 20 %, 20 weeks) has 0.522."""
    years = 20 / 52
    growth = np.exp(0.05 * years)
    legs = Legs(("future", "call"), np.ones(2), np.array([1.0, 50.0]), np.full(2, years),
                np.full(2, 0.2))  # fmt: skip
    future, call = legs.deltas(49.0 * growth)
    assert future == pytest.approx(1.0)
    assert call == pytest.approx(0.521605, abs=1e-6)
