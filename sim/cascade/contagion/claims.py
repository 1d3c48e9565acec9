"""Claims of traders on venues, out of recorded tables, as input for the other functions.

A venue that fails freezes the balances of its traders. Nodes are ``venue:<name>`` and
``cohort:<name>`` (or ``trader_id:<name>``), as in the causal graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from sim.cascade.contagion.arguments import Network, per_node
from sim.core.arrays import FloatArray

Named: TypeAlias = "Mapping[str, float] | pd.Series[Any]"


@dataclass(frozen=True, eq=False)
class VenueClaims:
    """Who has how much money on which venue.

    Attributes
    ----------
    liabilities : Network [numeraire]
        Edge i -> j is what i owes j: a venue owes its traders their equity there; traders whose
        equity at a venue is below 0 owe it that.
    equity : (N,) float64 [numeraire]
        Of traders what they have on venues and `outside`; of venues their own `capital`.
    own : (N,) float64 [numeraire]
        Outside money of traders, capital of venues.
    """

    liabilities: Network
    equity: FloatArray
    own: FloatArray

    @property
    def labels(self) -> pd.Index:
        """Names of the nodes, venues first, each kind sorted."""
        return self.liabilities.labels

    @property
    def exposures(self) -> Network:
        """Edge i -> j is what i loses if j is worth nothing [numeraire]."""
        return self.liabilities.transposed

    def shock(self, lost: Named) -> FloatArray:
        """Return the stress of each node [1] if venues lose a share of what they hold.

        Parameters
        ----------
        lost : mapping or Series of venue to share in [0, 1]

        Raises
        ------
        ValueError
            If a venue is unknown or a share not in [0, 1].
        """
        known = [name.removeprefix("venue:") for name in self.labels if name.startswith("venue:")]
        shares = np.zeros(len(self.labels))
        shares[: len(known)] = per_node(lost, pd.Index(known), "lost", high=1.0, missing=0.0)
        return shares

    def external_assets(self, lost: Named | None = None) -> FloatArray:
        """Return what each node has outside the network [numeraire] after a loss in custody.

        Parameters
        ----------
        lost : mapping or Series of venue to share in [0, 1], or None
            Share that is lost of all that a venue holds: the money of its traders and its capital.

        Returns
        -------
        (N,) float64 [numeraire]
            Of a venue what it holds for its traders (what it owes them less what some of them
            owe it) and its capital, less the loss; of traders what they have outside.

        Raises
        ------
        ValueError
            If a venue is unknown or a share not in [0, 1].
        """
        owed = np.asarray(self.liabilities.matrix.sum(axis=1), dtype=np.float64)
        due = np.asarray(self.liabilities.matrix.sum(axis=0), dtype=np.float64)
        venues = np.array([name.startswith("venue:") for name in self.labels])
        held = np.where(venues, np.maximum(owed - due, 0.0), 0.0) + self.own
        return held * (1.0 - self.shock({} if lost is None else lost))


def venue_claims(
    cohorts: pd.DataFrame,
    tick: int | None = None,
    by: str = "cohort",
    capital: Named | None = None,
    outside: Named | None = None,
) -> VenueClaims:
    """Return the claims between venues and those who hold accounts there.

    Parameters
    ----------
    cohorts : pandas.DataFrame
        Columns `tick`, `venue`, `equity` [numeraire, signed] and `by`: the recorded table
        ``cohorts``, or one of that form with a finer owner. Rows of one owner at one venue and
        tick add up.
    tick : int or None
        Recorded tick to take; None for the last.
    by : str
        Column that names the owners.
    capital : mapping or Series of venue to money [numeraire], >= 0, or None
        What a venue has of its own, such as `insurance_fund` of the table ``venues``. Those left
        out have 0.
    outside : mapping or Series of owner to money [numeraire], >= 0, or None
        What owners have elsewhere. Those left out have 0.

    Returns
    -------
    VenueClaims

    Raises
    ------
    ValueError
        If a column is missing, the table has no such tick or no row, an equity is not finite, or
        a name is unknown.

    Notes
    -----
    Money in transit between venues and in outside wallets is in no row of ``cohorts``; give it as
    `outside`. A cohort counts as one owner, whoever of its traders the money belongs to.
    """
    rows = _rows(cohorts, tick, by)
    net = rows.groupby([by, "venue"], sort=True)["equity"].sum().reset_index()
    names = [f"venue:{name}" for name in sorted(set(rows["venue"]))]
    owners = [f"{by}:{name}" for name in sorted(set(rows[by]))]
    labels = pd.Index([*names, *owners])
    venue = labels.get_indexer(pd.Index("venue:" + net["venue"]))
    owner = labels.get_indexer(pd.Index(f"{by}:" + net[by]))
    money = net["equity"].to_numpy(dtype=np.float64)
    claim, debt = np.maximum(money, 0.0), np.maximum(-money, 0.0)
    size = len(labels)
    places = (np.concatenate([venue, owner]), np.concatenate([owner, venue]))
    matrix = sparse.csr_array((np.concatenate([claim, debt]), places), shape=(size, size))
    matrix.eliminate_zeros()
    own = np.concatenate([_money(capital, names, "capital"), _money(outside, owners, "outside")])
    has = np.bincount(owner, claim, minlength=size)
    return VenueClaims(Network(labels, matrix), own + has, own)


def _money(given: Named | None, nodes: list[str], name: str) -> FloatArray:
    """Return the money of nodes ``kind:name``, 0 where none is given."""
    plain = pd.Index([node.split(":", 1)[1] for node in nodes])
    return per_node({} if given is None else given, plain, name, missing=0.0)


def _rows(cohorts: pd.DataFrame, tick: int | None, by: str) -> pd.DataFrame:
    """Return the checked rows of one tick with names as text."""
    if by in ("tick", "venue", "equity"):
        raise ValueError(f"by is {by!r}; it must be a column that names the owners of accounts")
    missing = [name for name in ("tick", by, "venue", "equity") if name not in cohorts.columns]
    if missing:
        raise ValueError(f"table 'cohorts' lacks the columns {', '.join(missing)}")
    if cohorts.empty:
        raise ValueError("table 'cohorts' has no rows")
    ticks = cohorts["tick"]
    chosen = int(ticks.max()) if tick is None else tick
    rows = cohorts[ticks == chosen]
    if rows.empty:
        raise ValueError(
            f"table 'cohorts' has no tick {tick}; it has {ticks.nunique()} from {ticks.min()} to "
            f"{ticks.max()}"
        )
    if not np.isfinite(rows["equity"].to_numpy(dtype=np.float64)).all():
        raise ValueError(f"table 'cohorts' has an equity that is not finite at tick {chosen}")
    return rows.assign(venue=rows["venue"].astype(str), **{by: rows[by].astype(str)})
