"""The accounts of a state as arrays: what they are worth at other prices, and what they must sell.

Equity and maintenance margin come from the margin kernel of a run, the sizes of forced orders from
the liquidation rules of a run. Limit prices and price bands of orders are left out: an order
fills whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from sim.cascade.static_prices import Levels, StaticPrices, codes
from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.kernels.size import NO_SIZES
from sim.kernels.slots import slots_numpy
from sim.models.liquidation import Distressed, Sizes, sale_rules
from sim.models.liquidation.to_target import buffered_ratio
from sim.models.margin import MarginTables

if TYPE_CHECKING:
    from sim.schema import Scenario


class Forced(NamedTuple):
    """Forced orders: position (S,), the number of its account (S,), signed contracts (S,)."""

    slot: IntArray
    row: IntArray
    change: FloatArray


@dataclass
class Standing:
    """What accounts hold at a moment of a cascade; changed in place.

    Attributes
    ----------
    quantity : (P,) float64 [contracts]
    balance : (A, K) float64 [asset units]
    required : (A,) float64 [1]
    step : (A,) int64
    kept : (A,) float64 [1]
    selling : (A,) bool
        Accounts that have sold and were not whole again since.
    """

    quantity: FloatArray
    balance: FloatArray
    required: FloatArray
    step: IntArray
    kept: FloatArray
    selling: BoolArray

    def copy(self) -> Standing:
        """Return an independent copy."""
        return Standing(*(getattr(self, name).copy() for name in self.__dataclass_fields__))


class StaticBook:
    """Accounts of a state.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
        From `sim.cascade.state_tables.checked_tables`.
    scenario : Scenario
    prices : StaticPrices

    Attributes
    ----------
    accounts : int
    everybody : (A,) int64
        All rows.
    clearer : (A,) int16
    owner, market : (P,) int64
        Account and market of each position.
    contract_value : (M,) float64 [numeraire]
        Notional of one contract at the marks of the state.
    unit : (P,) float64 [numeraire]
        That of each position's market.
    """

    def __init__(
        self, tables: Mapping[str, pd.DataFrame], scenario: Scenario, prices: StaticPrices
    ) -> None:
        accounts, positions = tables["accounts"], tables["positions"]
        balances = tables["balances"]
        names = accounts["account_id"].tolist()
        self.prices, self.accounts = prices, len(names)
        self.everybody = np.arange(len(names))
        self.rules = [venue.liquidation for venue in scenario.venues.values()]
        named = scenario.counterfactual
        self._spared = np.array([name in named.spare for name in prices.venues])
        self._silenced = np.array([name in named.silence for name in prices.venues])
        self.owner = codes(positions["account_id"], names)
        self.market = codes(positions["market"], prices.markets)
        self.clearer = codes(accounts["clearer"], prices.venues).astype(np.int16)
        balance = np.zeros((self.accounts, len(prices.columns)))
        row = codes(balances["account_id"], names)
        balance[row, codes(balances["asset"], prices.columns)] = balances["amount"]
        self.tables = _margin_tables(tables["margin"], scenario, prices)
        self._lacking_margin()
        counts = np.bincount(self.owner, minlength=self.accounts)
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        quantity = positions["quantity"].to_numpy(dtype=np.float64, copy=True)
        now = prices.at(prices.last, prices.free)
        self.contract_value = prices.multiplier * now.mark * now.worth
        self.unit = self.contract_value[self.market]
        self.start = Standing(
            quantity,
            balance,
            accounts["required_ratio"].to_numpy(dtype=np.float64, copy=True),
            np.zeros(self.accounts, dtype=np.int64),
            np.ones(self.accounts),
            np.zeros(self.accounts, dtype=bool),
        )
        self._settles_in = codes(
            pd.Series([prices.assets[a] for a in prices.quote], dtype=object), prices.columns
        )
        by_size = self.tables.by_size
        self._inputs = MarginInputs(
            start, self.market.astype(np.int16), quantity,
            positions["entry_price"].to_numpy(dtype=np.float64, copy=True),
            self.clearer, balance, now.held, now.owed, now.mark, prices.multiplier, now.worth,
            self.tables.floor, self.tables.rate, self.tables.deduction,
            self.tables.size_rate if by_size else NO_SIZES,
            self.tables.size_root if by_size else NO_SIZES,
        )  # fmt: skip

    def margin(
        self, levels: Levels, standing: Standing, rows: IntArray
    ) -> tuple[MarginOutputs, IntArray]:
        """Return equity, maintenance margin and notional (A,) at `rows`, and who is breached.

        Accounts that a counterfactual spares are never among these.
        """
        inputs = self._inputs._replace(
            quantity=standing.quantity,
            balance=standing.balance,
            weight_positive=levels.held,
            asset_price=levels.owed,
            mark_price=levels.mark,
            quote_price=levels.worth,
        )
        out = MarginOutputs.empty(self.accounts)
        breached = account_margin(inputs, rows, standing.required, out)
        return out, breached[~self._spared[self.clearer[breached]]]

    def heard(self, forced: Forced) -> FloatArray:
        """Return the contracts (S,) of orders that reach the market: none of silenced venues."""
        return np.where(self._silenced[self.clearer[forced.row]], 0.0, forced.change)

    def excess(self, levels: Levels, standing: Standing, rows: IntArray) -> FloatArray:
        """Return ``equity - required maintenance`` (N,) [numeraire] of accounts."""
        out, _ = self.margin(levels, standing, rows)
        return np.asarray(out.equity[rows] - standing.required[rows] * out.maintenance[rows])

    def slots(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return the positions (S,) of accounts, and the place (S,) of each one's account."""
        return slots_numpy(self._inputs.position_start, rows)

    def forced(
        self, levels: Levels, standing: Standing, out: MarginOutputs, rows: IntArray
    ) -> Forced:
        """Return what accounts, ascending, must sell now; nothing in markets that cannot trade."""
        slot, place = self.slots(rows)
        held = standing.quantity[slot] != 0.0
        held &= self.prices.tradable[self.market[slot]]
        slot, place = slot[held], place[held]
        share = np.ones(len(slot))
        clearer = self.clearer[rows].astype(np.int64)
        for v in np.unique(clearer).tolist():
            mine = clearer == v
            part = self._distressed(levels, standing, out, rows, mine)
            sizes = sale_rules[self.rules[v].kind](part, self.tables, self.rules[v])
            found = sizes.share if isinstance(sizes, Sizes) else sizes[part.owner]
            share[mine[place]] = found[part.tradable]
        change = -standing.quantity[slot] * np.where(share >= 1.0, 1.0, share)
        some = change != 0.0
        return Forced(slot[some], rows[place[some]], change[some])

    def settle(self, standing: Standing, forced: Forced, average: FloatArray) -> None:
        """Book forced orders at average prices (M,) [quote/base]; no fee is charged."""
        slot, row, change = forced
        market = self.market[slot]
        size = change * self.prices.multiplier[market]
        gain = -size * (average[market] - self._inputs.entry_price[slot])
        np.add.at(standing.balance, (row, self._settles_in[market]), gain)
        rows, place = np.unique(row, return_inverse=True)
        sold = sums(place, np.abs(change) * self.unit[slot], len(rows))
        standing.quantity[slot] += change
        left_slot, left_place = self.slots(rows)
        tradable = self.prices.tradable[self.market[left_slot]]
        worth = np.abs(standing.quantity[left_slot]) * self.unit[left_slot] * tradable
        left = sums(left_place, worth, len(rows))
        standing.kept[rows] *= left / np.where(left + sold > 0.0, left + sold, 1.0)
        standing.step[rows] += 1
        standing.selling[rows] = True

    def turn_episodes(self, standing: Standing, out: MarginOutputs, rows: IntArray) -> None:
        """Begin the liquidations of the breached, or go on with them, and end all others.

        The breached are held to where their clearer's liquidation ends.
        """
        whole = standing.selling.copy()
        whole[rows] = False
        standing.selling[whole], standing.step[whole], standing.kept[whole] = False, 0, 1.0
        standing.required[whole] = self.tables.liquidation_ratio[self.clearer[whole]]
        for v in np.unique(self.clearer[rows]).tolist():
            rule, mine = self.rules[v], rows[self.clearer[rows] == v]
            if rule.kind == "partial" and rule.target_ratio > 1.0:
                least = np.full(len(mine), rule.target_ratio)
            elif rule.kind == "to_target" and rule.buffer > 0.0:
                have = out.maintenance[mine], out.notional[mine]
                least = buffered_ratio(*have, rule.target_ratio, rule.buffer)
            else:
                continue
            standing.required[mine] = np.maximum(standing.required[mine], least)

    def _distressed(
        self,
        levels: Levels,
        standing: Standing,
        out: MarginOutputs,
        rows: IntArray,
        mine: BoolArray,
    ) -> Distressed:
        """Return accounts of one clearer, with their positions that are not closed."""
        chosen = rows[mine]
        slot, place = self.slots(chosen)
        held = standing.quantity[slot] != 0.0
        slot, place = slot[held], place[held]
        market, quantity = self.market[slot], standing.quantity[slot]
        size = np.abs(quantity * self.prices.multiplier[market])
        return Distressed(
            equity=out.equity[chosen],
            maintenance=out.maintenance[chosen],
            required=standing.required[chosen],
            step=standing.step[chosen],
            kept=standing.kept[chosen],
            owner=place,
            clearer=self.clearer[chosen].astype(np.int64)[place],
            market=market,
            notional=size * levels.mark[market],
            size=size,
            worth=levels.worth[market],
            tradable=self.prices.tradable[market],
            mark=levels.mark[market],
            side=np.sign(quantity),
            recent=np.zeros(len(chosen), dtype=bool),
            draw=np.zeros(len(chosen)),
        )

    def _lacking_margin(self) -> None:
        rates = self.tables.rate[self.clearer[self.owner], self.market, 0]
        if np.isnan(rates).any():
            p = int(np.flatnonzero(np.isnan(rates))[0])
            clearer = self.prices.venues[self.clearer[self.owner[p]]]
            market = self.prices.markets[self.market[p]]
            raise ValueError(
                f"the state has no margin of clearer {clearer!r} for market {market!r}"
            )


def _margin_tables(margin: pd.DataFrame, scenario: Scenario, prices: StaticPrices) -> MarginTables:
    """Return the margin tables of the scenario with the rates of the state."""
    v, m = codes(margin["clearer"], prices.venues), codes(margin["market"], prices.markets)
    t = margin["tier"].to_numpy(dtype=np.int64)
    shape = len(prices.venues), len(prices.markets), int(t.max(initial=0)) + 1
    floor, rate, deduction = np.full(shape, np.inf), np.full(shape, np.nan), np.full(shape, np.nan)
    floor[v, m, t], rate[v, m, t], deduction[v, m, t] = (
        margin[name].to_numpy(dtype=np.float64) for name in ("floor", "rate", "deduction")
    )
    for tier in range(1, shape[2]):
        unused = np.isinf(floor[:, :, tier])
        for values in (rate, deduction):
            values[:, :, tier] = np.where(unused, values[:, :, tier - 1], values[:, :, tier])
    size_rate, size_root = np.zeros((2, *shape[:2]))
    size_rate[v, m], size_root[v, m] = margin["size_rate"], margin["size_root"]
    ratios = [v.margin.liquidation_ratio if v.margin else 1.0 for v in scenario.venues.values()]
    return MarginTables(
        floor=floor,
        rate=rate,
        deduction=deduction,
        initial_rate=rate,
        size_rate=size_rate,
        size_root=size_root,
        open_interest=np.full((2, *shape[:2]), np.inf),
        liquidation_ratio=np.array(ratios, dtype=np.float64),
    )
