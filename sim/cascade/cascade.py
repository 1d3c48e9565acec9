"""Metrics of contagion over the recorded tables of one run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import networkx as nx
import pandas as pd

from sim.cascade.clusters import cluster_of, clusters
from sim.cascade.edges import Recorded
from sim.cascade.graph import build_graph
from sim.cascade.moves import (
    amplification,
    endogenous_share,
    generation_table,
    moves_by_cause,
)
from sim.cascade.rankings import first_breaks, sellers, victims
from sim.cascade.spreading import SpreadCascade
from sim.cascade.summary import cascade_statistics
from sim.cascade.tables import (
    BROKEN_KINDS,
)
from sim.cascade.views import VIEWS, group_graph
from sim.cascade.windows import cut, window_of

Level = Literal["auto", "accounts", "cohorts", "venues", "assets"]

Who = Literal["account", "cohort", "venue"]

LEVELS: tuple[Level, ...] = ("auto", "accounts", "cohorts", "venues", "assets")


class Cascade(SpreadCascade):
    """Who broke whom, through which market, and how much of a fall the cascade made.

    The parameters are those of ``RecordedCascade``; ``Cascade.load`` reads a run folder.
    """

    def graph(
        self,
        level: Level = "auto",
        max_nodes: int = 5000,
        window: tuple[float, float] | None = None,
    ) -> nx.MultiDiGraph[str]:
        """Return the causal graph account -> market -> account, generation by generation.

        Parameters
        ----------
        level : {"auto", "accounts", "cohorts", "venues", "assets"}
            What the nodes are: accounts or their cohorts beside markets; or venues or assets
            alone. ``auto`` takes accounts as long as no more than `max_nodes` of them were broken,
            else cohorts.
        max_nodes : int
            Number of account nodes above which ``auto`` aggregates, >= 0.
        window : tuple of float or None
            Only what happened in ``[start, end)`` [s]: accounts that broke and orders that traded
            in it, and earlier orders as far as they cost those something.

        Returns
        -------
        networkx.MultiDiGraph
            Nodes with `kind`, edges with `relation`, listed in ``sim.cascade.graph`` and, for
            venues and assets, in ``sim.cascade.views``. The `price_move` of the edges into a
            market (``forced_order``, ``cross_impact`` and, where the tables hold no order at
            all, ``unattributed``) sums to the move `price_causes` books to liquidations, and
            their `loss` with that of causes to what accounts lost through it.

        Raises
        ------
        ValueError
            If an argument is out of range, or `level` is venues or assets and the run did not
            record losses.

        Notes
        -----
        ``sim.cascade.attribution`` states how a move is split over orders. ADL and socialised
        losses hit accounts that were not broken and are no part of the graph.
        """
        if level not in LEVELS:
            raise ValueError(f"level is {level!r}; allowed: {', '.join(LEVELS)}")
        if max_nodes < 0:
            raise ValueError(f"max_nodes is {max_nodes}; it must be >= 0")
        ticks = window_of(window, self.tick_seconds)
        flows = self._flows(window)
        if level in VIEWS:
            if not self.has_losses and len(self.liquidations):
                raise ValueError(f"level {level!r} needs losses, which this run did not record")
            groups = self._groups(VIEWS[level])
            return group_graph(flows, self.liquidations, level, groups, self.bases, ticks)
        broken = self.liquidations[self.liquidations["kind"].isin(BROKEN_KINDS)]
        many = broken["account_id"].nunique() > max_nodes
        owner = "cohort" if level == "cohorts" or (level == "auto" and many) else "account"
        recorded = Recorded(
            self.liquidations, self.price_causes, self.market_names, self.venue_names, flows,
            self.has_losses, ticks,
        )  # fmt: skip
        return build_graph(recorded, owner)

    def graphs(
        self, every: float, level: Level = "cohorts"
    ) -> Iterator[tuple[tuple[float, float], nx.MultiDiGraph[str]]]:
        """Yield the graph of each window of `every` seconds, with the window [s].

        Windows without anybody broken are left out.

        Raises
        ------
        ValueError
            If `every` is no number above 0, or as ``graph`` does.
        """
        ticks = [frame["tick"] for frame in (self.breaks, self.liquidations) if len(frame)]
        times = pd.concat(ticks) * self.tick_seconds if ticks else pd.Series(dtype=float)
        for start, end in cut(every, float(times.max()) if len(times) else 0.0):
            if ((times >= start) & (times < end)).any():
                yield (start, end), self.graph(level, window=(start, end))

    def generations(self, window: tuple[float, float] | None = None) -> pd.DataFrame:
        """Return the size of each generation of forced orders.

        Parameters
        ----------
        window : tuple of float or None
            Only what happened in ``[start, end)`` [s].

        Returns
        -------
        pandas.DataFrame
            A row per generation from 0 to the last: `generation`; `accounts`, the distinct
            accounts broken in it (closed on the market, by a backstop or in an auction);
            `liquidated_notional` [quote], closed on the market only; `price_move` [1, log
            price, signed], all moves booked to liquidations in it, summed over markets; and
            `markets`, the number of markets moved. A generation that recurs in several ticks
            is one row. Without forced orders the frame has no rows.
        """
        ticks = window_of(window, self.tick_seconds)
        return generation_table(ticks.of(self.liquidations), ticks.of(self.price_causes))

    @property
    def branching_ratio(self) -> float:
        r"""Share of the forced market notional that earlier generations brought about [1].

        Notes
        -----
        The ratio estimator of children over parents,

        .. math:: n = \sum_{g \ge 1} N_g \Big/ \sum_{g \ge 0} N_g ,

        with :math:`N_g` [quote] the notional that generation :math:`g` liquidated to the
        market. It lies in [0, 1], and the total is :math:`N_0 / (1 - n)`. It is 0 where nothing was
        liquidated.

        References
        ----------
        Filimonov and Sornette (2012), "Quantifying reflexivity in financial markets",
        Physical Review E 85, 056108: the branching ratio as the share of endogenous events.
        """
        return endogenous_share(self.liquidations)

    def price_moves_by_cause(self, market: str | None = None) -> pd.DataFrame:
        """Return the moves summed over the run by cause and market.

        Parameters
        ----------
        market : str or None
            One market ``venue/symbol``; None for all.

        Returns
        -------
        pandas.DataFrame
            Index `cause` (sorted), columns `market` [1, log price, signed]; 0 where a cause
            never moved a market. A column sums to the whole move of its market.

        Raises
        ------
        KeyError
            If the tables have no such market.
        """
        names = self.market_names
        if market is not None:
            if market not in names:
                raise KeyError(f"no market {market!r}; known: {', '.join(names)}")
            names = [market]
        return moves_by_cause(self.price_causes, names)

    def amplification(self) -> pd.Series:
        """Return the whole move over the exogenous move by market.

        Returns
        -------
        pandas.Series
            Index `market`; [1], ``sum of all causes / sum of exogenous`` in log price at the end
            of the run. NaN where the exogenous move is 0 (within 1e-12).
        """
        return amplification(self.price_moves_by_cause())

    def clusters(self) -> pd.DataFrame:
        """Return size and shape of each cascade, a root with all it broke, largest first.

        See ``sim.cascade.clusters`` for what belongs together and for the columns.
        """
        return clusters(self._flows(), self.breaks)

    def cluster_of(self) -> pd.Series:
        """Return the cluster of each break; see ``sim.cascade.clusters.cluster_of``."""
        return cluster_of(self._flows())

    def sellers(
        self, by: Who = "account", window: tuple[float, float] | None = None
    ) -> pd.DataFrame:
        """Return what the forced orders of each account, cohort or venue cost others.

        In a window, what they cost those that broke in it. See ``sim.cascade.rankings.sellers``.
        """
        return sellers(self._flows(window), by, window_of(window, self.tick_seconds))

    def victims(
        self, by: Who = "account", window: tuple[float, float] | None = None
    ) -> pd.DataFrame:
        """Return what each account, cohort or venue lost; see ``sim.cascade.rankings.victims``."""
        return victims(self._flows(window), by)

    def first_breaks(
        self, number: int = 10, window: tuple[float, float] | None = None
    ) -> pd.DataFrame:
        """Return the first accounts that broke; see ``sim.cascade.rankings.first_breaks``."""
        ticks = window_of(window, self.tick_seconds)
        return first_breaks(self._flows(window), self._breaks(ticks), number)

    def statistics(self, window: tuple[float, float] | None = None) -> dict[str, Any]:
        """Return size, shape, shares and tail of the cascade in one mapping.

        Returns
        -------
        dict
            `accounts` broken; `depth`, the highest generation; `breadth`, accounts of the largest
            one; `duration` [s] from the first break to the last forced order; `notional` [quote]
            forced, by kind of order (they are different things and never added up);
            `forced_move` [1, log price] and `forced_share_of_moves` [1] by market. Where losses
            are recorded also `breaks`, `loss` [numeraire], `forced_share_of_loss` [1],
            `children`, broken accounts per broken account [1], `clusters`, `largest_cluster`
            [breaks] and `tail`, a fit to the sizes of clusters
            (``sim.cascade.statistics.Tail``). The volume of voluntary trades is not recorded.
        """
        ticks = window_of(window, self.tick_seconds)
        return cascade_statistics(
            self._flows(window), ticks.of(self.liquidations), ticks.of(self.price_causes),
            self._breaks(ticks), self.tick_seconds,
        )  # fmt: skip
