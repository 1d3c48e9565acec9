"""What accounts are valued at, as a function of last prices alone.

The prices of a state move to other last prices ``L``; every price that follows from them moves in
proportion from where it stands:

    value of an asset   x(L) = x  f(L) / f(L_0)      f: mean growth of the markets that value it
    index               I(L) = I  g(L) / g(L_0)      g: the venue's own rule over its markets
    mark                P(L) = P  h(L) / h(L_0)      h: what the mark follows in the end

``h`` is the last price for marks of it, of its averages and of a basis, the index for marks of the
index, its averages and a funded index, what an oracle posts, and the median of its parts for a
median. So an average, an oracle or a carry keeps the deviation it has, and is taken to have caught
up with whatever moves now. At ``L_0`` everything is what was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.models.mark import index_price
from sim.schema.mark import index_rule, parts_of

if TYPE_CHECKING:
    from sim.schema import Scenario
    from sim.schema.mark import IndexRule, SimpleMark


class Levels(NamedTuple):
    """Prices of one moment.

    Attributes
    ----------
    last, mark : (M,) float64 [quote/base]
    worth : (M,) float64 [numeraire/quote]
    owed : (K,) float64 [numeraire]
        Value of a unit of each balance asset that is owed.
    held : (V, K) float64 [numeraire]
        What a clearer counts a unit that is held at, after its haircut.
    """

    last: FloatArray
    mark: FloatArray
    worth: FloatArray
    owed: FloatArray
    held: FloatArray


class _Index(NamedTuple):
    """Members (N,) and weights (N,) of an index, its rule, and the markets (L,) that use it."""

    members: IntArray
    weights: FloatArray
    rule: IndexRule
    users: IntArray


class StaticPrices:
    """Prices of a state as functions of last prices.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
        From `sim.cascade.state_tables.checked_tables`.
    scenario : Scenario

    Attributes
    ----------
    markets, assets, venues, columns : list of str
        Names, in the order of all arrays; `columns` are the balance assets.
    last, anchor : (M,) float64 [quote/base]
    free : (N,) float64 [numeraire]
        Values of assets without markets.
    fence : (M,) int64
        Group of each market's venue; indices and couplings stay within a group.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame], scenario: Scenario) -> None:
        markets, assets, collateral = tables["markets"], tables["assets"], tables["collateral"]
        self.markets = markets["market"].tolist()
        self.assets = assets["asset"].tolist()
        self.venues = list(scenario.venues)
        self.columns = list(dict.fromkeys(collateral["asset"].tolist()))
        self.last, self.anchor = _numbers(markets, "last"), _numbers(markets, "anchor")
        self.free = _numbers(assets, "free_value")
        self.multiplier = _numbers(markets, "multiplier")
        self.live: BoolArray = markets["live"].to_numpy(dtype=bool)
        self.tradable: BoolArray = markets["tradable"].to_numpy(dtype=bool)
        self.venue = codes(markets["venue"], self.venues)
        self.fence = _fences(scenario)[self.venue]
        self.base = codes(markets["base"], self.assets)
        self.quote = codes(markets["quote"], self.assets)
        self._opening_value = _numbers(markets, "opening_value")
        self._opening_price = _numbers(assets, "opening_price")
        valuing = markets["valuing"].to_numpy(dtype=bool)
        self._valued_by = self._value_groups(valuing)
        self._column_asset = codes(pd.Series(self.columns, dtype=object), self.assets)
        self._read_collateral(collateral)
        self._indices = self._index_groups(scenario)
        self._parts = [parts_of(venue.mark) for venue in scenario.venues.values()]
        self._asset_scale, self._mark_scale = np.ones(len(self.assets)), np.ones(len(self.markets))
        value = _numbers(assets, "value")
        for a in range(len(value)):  # one by one: a value counts in those quoted in it
            raw = self._raw(self.last, self.free)[0]
            self._asset_scale[a] = _ratio(value[a : a + 1], raw[a : a + 1])[0]
        self._mark_scale = _ratio(_numbers(markets, "mark"), self._raw(self.last, self.free)[1])

    def at(self, last: FloatArray, free: FloatArray) -> Levels:
        """Return all prices at other last prices.

        Parameters
        ----------
        last : (M,) float64 [quote/base]
        free : (N,) float64 [numeraire]
            Values of assets, for those that no market values.
        """
        asset, mark = self._raw(last, free)
        owed = asset[self._column_asset]
        held = owed * self._keep
        for v, k, market, scale in self._own:
            worth = last[market] * asset[self.quote[market]]
            held[v, k] = worth * scale * self._keep[v, k]
        for v, k, price in self._par:
            held[v, k] = price * self._keep[v, k]
        return Levels(last, mark * self._mark_scale, asset[self.quote], owed, held)

    def _raw(self, last: FloatArray, free: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return values of assets (N,), and where marks (M,) are heading."""
        asset = free * self._asset_scale
        for a, group in self._valued_by:
            growth = last[group] * asset[self.quote[group]] / self._opening_value[group]
            asset[a] = self._opening_price[a] * growth.mean() * self._asset_scale[a]
        worth = asset[self.quote]
        index = self._index(last, worth)
        mark = last.copy()
        for v, parts in enumerate(self._parts):
            mine = self.venue == v
            targets = [index[mine] if _follows_index(part) else last[mine] for part in parts]
            mark[mine] = targets[0] if len(targets) == 1 else np.median(targets, axis=0)
        return asset, mark

    def _index(self, last: FloatArray, worth: FloatArray) -> FloatArray:
        index = last.copy()
        value = last * worth
        for members, weights, rule, users in self._indices:
            usable = self.live[members]
            if not usable.any():
                usable = np.ones_like(usable)
            limit = math.inf if rule.outlier is None else rule.outlier
            level = index_price(value[members], weights, rule.method, usable, limit)
            index[users] = level / worth[users]
        return index

    def _value_groups(self, valuing: BoolArray) -> list[tuple[int, IntArray]]:
        found = []
        for a in range(len(self.assets)):
            group = np.flatnonzero(valuing & (self.base == a))
            live = group[self.live[group]]
            if len(group):
                found.append((a, live if len(live) else group))
        return found

    def _index_groups(self, scenario: Scenario) -> list[_Index]:
        found = []
        for v, venue in enumerate(scenario.venues.values()):
            rule = index_rule(venue.mark, venue.index)
            for base in np.unique(self.base[self.venue == v]).tolist():
                members = np.flatnonzero(self.base == base)
                given = [
                    rule.weights.get(self.venues[self.venue[m]], 0.0) if rule.weights else 1.0
                    for m in members.tolist()
                ]
                weights = np.array(given, dtype=np.float64)
                near = self.fence[members] == self.fence[self.venue == v][0]
                used = (weights > 0.0) & near
                if (weights > 0.0).any() and not used.any():
                    weights, used = np.ones(len(members)), near
                users = np.flatnonzero((self.venue == v) & (self.base == base))
                if used.any():
                    found.append(_Index(members[used], weights[used], rule, users))
        return found

    def _read_collateral(self, collateral: pd.DataFrame) -> None:
        shape = len(self.venues), len(self.columns)
        v, k = codes(collateral["clearer"], self.venues), codes(collateral["asset"], self.columns)
        self._keep = np.ones(shape)
        self._keep[v, k] = _numbers(collateral, "kept")
        own, par = collateral["own_market"].tolist(), _numbers(collateral, "par_value").tolist()
        scales = _numbers(collateral, "own_scale").tolist()
        places = list(zip(v.tolist(), k.tolist(), strict=True))
        self._own = [
            (*place, self.markets.index(name), scale)
            for place, name, scale in zip(places, own, scales, strict=True)
            if name
        ]
        self._par = [
            (*place, price)
            for place, price in zip(places, par, strict=True)
            if not math.isnan(price)
        ]


def codes(names: pd.Series, known: list[str]) -> IntArray:
    """Return the place (N,) of each name among the known ones.

    Raises
    ------
    ValueError
        A name is not known.
    """
    found = pd.Index(known).get_indexer(pd.Index(names, dtype=object))
    if (found < 0).any():
        strange = names.iloc[int(np.flatnonzero(found < 0)[0])]
        raise ValueError(f"{strange!r} is not among {', '.join(known[:20])}")
    return np.asarray(found, dtype=np.int64)


def _fences(scenario: Scenario) -> IntArray:
    """Return the group (V,) of each venue: 0, or one of its own where it is ring-fenced."""
    fenced = scenario.counterfactual.ring_fence
    groups = [fenced.index(name) + 1 if name in fenced else 0 for name in scenario.venues]
    return np.array(groups, dtype=np.int64)


def _numbers(frame: pd.DataFrame, column: str) -> FloatArray:
    return frame[column].to_numpy(dtype=np.float64, copy=True)


def _ratio(now: FloatArray, raw: FloatArray) -> FloatArray:
    return np.where(raw > 0.0, now / np.where(raw > 0.0, raw, 1.0), 1.0)


def _follows_index(part: SimpleMark) -> bool:
    if part.kind in ("index", "funded_index"):
        return True
    return part.kind in ("ema", "twap", "oracle") and part.of == "index"
