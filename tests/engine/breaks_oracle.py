"""What breaks must say, found out the long way: everybody is revalued at every instant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

import sim
from sim.engine.breaks import Breaks
from sim.kernels.margin import MarginOutputs, account_margin

CLOSE = 1e-9
"""Share of gross exposure, at either end, to which losses must agree."""


class Oracle:
    """Equity of all accounts at the instant at which each was last healthy."""

    def __init__(self, book: Breaks) -> None:
        self.world, self.book = book.world, book
        self.broken: list[tuple[str, float, float]] = []
        self.healed: set[int] = set()
        self.called: set[int] = set()
        self.equity, self.scale = self.everybody()

    def everybody(self) -> tuple[np.ndarray, np.ndarray]:
        """Return equity and gross exposure of all accounts now."""
        world, ledger = self.world, self.world.ledger
        rows = np.arange(world.accounts)
        out = MarginOutputs.empty(world.accounts)
        account_margin(world.margin_inputs(), rows, world.required, out)
        money = np.abs(ledger.balance[rows]) @ world.asset_price[world.columns]
        slots, owner = ledger.slots(rows)
        market = ledger.market[slots]
        size = np.abs(ledger.quantity[slots]) * world.board.multiplier[market]
        cost = size * ledger.entry_price[slots] * world.quote_price[market]
        return out.equity, money + out.notional + np.bincount(owner, cost, len(rows))

    def look(self, fresh: np.ndarray) -> None:
        """Compare the equity of those that broke with what it was, and look at the others anew."""
        now, scale = self.everybody()
        for row in np.sort(fresh).tolist():
            lost, gross = self.equity[row] - now[row], max(self.scale[row], scale[row])
            self.broken.append((self.world.account_id(row), float(lost), float(gross)))
        for row in range(self.world.accounts):
            whole = self.world.label[row] < 0
            if whole and (row not in self.called or row in self.healed):
                self.equity[row], self.scale[row] = now[row], scale[row]
        self.healed = set()


@contextmanager
def watched(monkeypatch: Any) -> Iterator[list[Oracle]]:
    """Have an oracle look over the shoulder of every run."""
    oracles: list[Oracle] = []
    begin, check, close = Breaks.__init__, Breaks.check, Breaks._close

    def beginning(self: Breaks, *given: Any) -> None:
        begin(self, *given)
        oracles.append(Oracle(self))

    def checking(self: Breaks, fresh: Any, healed: Any, called: Any, active: bool) -> None:
        oracles[-1].healed, oracles[-1].called = set(healed.tolist()), set(called.tolist())
        check(self, fresh, healed, called, active)

    def closing(self: Breaks, fresh: Any) -> None:
        oracles[-1].look(fresh)
        close(self, fresh)

    with monkeypatch.context() as patch:
        patch.setattr(Breaks, "__init__", beginning)
        patch.setattr(Breaks, "check", checking)
        patch.setattr(Breaks, "_close", closing)
        yield oracles


def assert_exact(result: sim.Result, oracle: Oracle) -> None:
    """Losses, as recorded and as split, are what equity went down by."""
    breaks, losses = result.breaks, result.cascade.losses()
    known = pd.DataFrame(oracle.broken, columns=["account_id", "expected", "gross"])
    breaks, known = (
        table.assign(time_of_account=table.groupby("account_id").cumcount())
        for table in (breaks, known)
    )
    breaks = breaks.merge(known, how="outer", on=["account_id", "time_of_account"])
    assert breaks["break_id"].notna().all()
    assert breaks["expected"].notna().all()
    within = CLOSE * breaks["gross"] + 1e-12
    expected = breaks["expected"].to_numpy()
    assert (np.abs(breaks["loss"].to_numpy() - expected) <= within).all()
    split = losses.groupby("break_id")["loss"].sum().reindex(breaks["break_id"], fill_value=0.0)
    assert (np.abs(split.to_numpy() - expected) <= within).all()


def assert_sellers(result: sim.Result) -> None:
    """Single orders make the whole of the forced losses."""
    keys = ["break_id", "through", "cause", "source", "source_generation", "source_tick"]
    losses, sellers = result.cascade.losses(), result.cascade.seller_losses()
    forced = losses[losses["source_generation"] >= 0]
    assert forced["cause"].str.startswith("liquidation:").all()
    assert not losses[losses["source_generation"] < 0]["cause"].str.startswith("liq").any()
    whole = forced.groupby(keys)["loss"].sum()
    parts = sellers.groupby(keys)["loss"].sum()
    assert set(parts.index) == set(whole.index)
    assert np.allclose(parts.reindex(whole.index), whole, rtol=1e-9, atol=1e-12)
