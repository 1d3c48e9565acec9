"""Values of assets, index prices and mark prices that follow from the last prices, compiled."""

from __future__ import annotations

from sim.kernels.compiling import compiled, compiled_part
from sim.kernels.indices import index_prices_loop, value_assets_loop
from sim.kernels.marks import (
    begin_tick_loop,
    mark_prices_loop,
    post_oracles_loop,
    sample_premiums_loop,
)
from sim.kernels.price_state import PriceRules, PriceState

VALUES, MARKS, OPENING = range(3)
"""What `price_step` brings up to date."""


@compiled_part
def open_marks_loop(rules: PriceRules, state: PriceState, seconds: float) -> None:
    """Open the marks of a tick: freeze their memory, refresh all, post and sample once."""
    begin_tick_loop(rules, state, seconds)
    value_assets_loop(rules, state)
    index_prices_loop(rules, state)
    post_oracles_loop(rules, state, seconds)
    sample_premiums_loop(rules, state, seconds)
    mark_prices_loop(rules, state)


@compiled
def price_step(rules: PriceRules, state: PriceState, what: int, seconds: float) -> None:
    """Bring prices that follow from the last ones up to date.

    Parameters
    ----------
    rules : PriceRules
    state : PriceState
    what : int
        `VALUES`: values of assets; `MARKS`: index and mark prices too; `OPENING`: the same at the
        opening of a tick's marks, `seconds` after the tick before.
    seconds : float
        Time since the tick before [s], read for `OPENING` alone.
    """
    if what == OPENING:
        open_marks_loop(rules, state, seconds)
        return
    value_assets_loop(rules, state)
    if what == MARKS:
        index_prices_loop(rules, state)
        mark_prices_loop(rules, state)
