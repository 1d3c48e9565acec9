"""Statistics of cascades: branching by generation with its interval, tails of sizes, shares."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from sim.cascade.tables import LIQUIDATION_CAUSE, with_market
from sim.core.arrays import FloatArray

WHOLE = -1
"""Generation of the row that stands for all of them."""

MIN_SIZES = 10
"""Fewest sizes, and distinct ones, to which a tail is fitted."""


def branching_by_generation(sizes: pd.DataFrame) -> pd.DataFrame:
    """Return how many of the next generation each generation brought about.

    Parameters
    ----------
    sizes : pandas.DataFrame
        As ``Cascade.generations`` gives them.

    Returns
    -------
    pandas.DataFrame
        One row per generation that has a next one: `generation`, `accounts` and `notional`, the
        ratio of the next generation to this one in accounts and in notional sold [1]; NaN after
        an empty generation.
    """
    counts = sizes["accounts"].to_numpy(dtype=np.float64)
    sold = sizes["liquidated_notional"].to_numpy(dtype=np.float64)
    number = max(0, len(sizes) - 1)
    return pd.DataFrame({
        "generation": np.arange(number, dtype=np.int64),
        "accounts": _ratio(counts[1:], counts[:-1]),
        "notional": _ratio(sold[1:], sold[:-1]),
    })  # fmt: skip


def _ratio(upper: FloatArray, lower: FloatArray) -> FloatArray:
    out = np.full(len(lower), math.nan)
    return np.asarray(np.divide(upper, lower, out=out, where=lower > 0.0), dtype=np.float64)


class HasGenerations(Protocol):
    """A cascade, as far as its branching ratio goes."""

    def generations(self) -> pd.DataFrame:
        """Return the size of each generation."""
        ...


def branching_ratio_interval(
    cascades: Iterable[HasGenerations | pd.DataFrame],
    level: float = 0.95,
    of: str = "accounts",
) -> pd.DataFrame:
    r"""Return the branching ratio of each generation with its confidence interval.

    Parameters
    ----------
    cascades : iterable of Cascade or pandas.DataFrame
        Cascades of independent replications, at least two, or what their ``generations()`` gave.
    level : float
        Confidence of the interval, in (0, 1).
    of : {"accounts", "liquidated_notional"}
        What is counted.

    Returns
    -------
    pandas.DataFrame
        One row per generation, and a first row with generation -1 for all together: `generation`,
        `replications` (with parents), `parents`, `children` (sums), `ratio` [1], `low`, `high`.
        Limits are NaN where fewer than two replications have parents.

    Raises
    ------
    ValueError
        If there are fewer than two replications, or `level` or `of` is out of range.

    Notes
    -----
    With :math:`y_i` children of :math:`x_i` parents in replication i of the R with parents the
    ratio is :math:`r = \sum y_i / \sum x_i`, and its interval that of Student's t with R - 1
    degrees of freedom for the linearised ratio,

    .. math:: r \pm t_{R-1} \sqrt{\frac{R}{R - 1} \sum_i (y_i - r x_i)^2} \Big/ \sum_i x_i .

    For all generations together children are those of generations 1 and on, parents all.

    References
    ----------
    Cochran (1977), "Sampling Techniques", 3rd edition, chapter 6: the ratio estimator.
    """
    tables = [one if isinstance(one, pd.DataFrame) else one.generations() for one in cascades]
    if of not in ("accounts", "liquidated_notional"):
        raise ValueError(f"of is {of!r}; allowed: accounts, liquidated_notional")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level!r}; allowed: a number between 0 and 1")
    if len(tables) < 2:
        raise ValueError(f"{len(tables)} replications; allowed: 2 or more")
    depth = max(len(table) for table in tables)
    sizes = np.zeros((len(tables), depth + 1))
    for row, table in enumerate(tables):
        sizes[row, table["generation"].to_numpy(dtype=np.int64)] = table[of]
    parts = [(WHOLE, sizes.sum(axis=1), sizes[:, 1:].sum(axis=1))]
    parts += [(g, sizes[:, g], sizes[:, g + 1]) for g in range(depth)]
    return pd.DataFrame([_interval(*part, level) for part in parts])


def _interval(
    generation: int, parents: FloatArray, children: FloatArray, level: float
) -> dict[str, float]:
    from scipy.stats import t as student

    number = int(np.count_nonzero(parents))
    below, above = float(parents.sum()), float(children.sum())
    ratio = above / below if below > 0.0 else math.nan
    half = math.nan
    if number >= 2:
        spread = float(((children - ratio * parents) ** 2).sum()) * number / (number - 1)
        half = float(student.ppf(0.5 + level / 2.0, number - 1)) * math.sqrt(spread) / below
    return {
        "generation": generation, "replications": number, "parents": below, "children": above,
        "ratio": ratio, "low": ratio - half, "high": ratio + half,
    }  # fmt: skip


class Tail(NamedTuple):
    """Power law fitted to the largest of some sizes.

    Attributes
    ----------
    exponent : float
        alpha of ``P(size = n) ~ n**-alpha`` [1]; NaN where nothing was fitted.
    error : float
        Its standard error [1].
    least : float
        Smallest size that belongs to the tail.
    number : int
        Sizes in the tail.
    distance : float
        Kolmogorov-Smirnov distance of fit and data [1].
    against_exponential, against_lognormal : tuple of float
        Log likelihood ratio per Vuong, above 0 where the power law fits better, and its p-value.
    reason : str
        Why nothing was fitted, else empty.
    """

    exponent: float
    error: float
    least: float
    number: int
    distance: float
    against_exponential: tuple[float, float]
    against_lognormal: tuple[float, float]
    reason: str


def tail_fit(sizes: Iterable[float], least: float | None = None) -> Tail:
    """Fit a discrete power law to the tail of sizes, with the package ``powerlaw``.

    Parameters
    ----------
    sizes : iterable of float
        Whole numbers >= 1, such as `breaks` of ``Cascade.clusters`` over many replications.
    least : float or None
        Smallest size of the tail; None for the one with the smallest Kolmogorov-Smirnov distance.

    Returns
    -------
    Tail
        With `reason` and NaN where there are fewer than ten sizes or ten distinct ones.

    Raises
    ------
    ValueError
        If a size is no whole number >= 1, or `least` is below 1.

    References
    ----------
    Clauset, Shalizi and Newman (2009), "Power-law distributions in empirical data", SIAM Review
    51, 661-703. Alstott, Bullmore and Plenz (2014), "powerlaw: a Python package for analysis of
    heavy-tailed distributions", PLoS ONE 9, e85777.
    """
    data = np.asarray(list(sizes), dtype=np.float64)
    bad = data[~((data >= 1.0) & (data == np.floor(data)) & np.isfinite(data))]
    if len(bad):
        raise ValueError(f"a size is {bad[0]!r}; allowed: whole numbers from 1 on")
    if least is not None and not least >= 1.0:
        raise ValueError(f"least is {least!r}; allowed: a size from 1 on")
    tail = data if least is None else data[data >= least]
    if len(np.unique(tail)) < MIN_SIZES:
        distinct = len(np.unique(tail))
        reason = f"{len(tail)} sizes, {distinct} distinct; a fit needs {MIN_SIZES} distinct ones"
        nothing = (math.nan, math.nan)
        return Tail(math.nan, math.nan, math.nan, 0, math.nan, nothing, nothing, reason)
    return _fitted(np.sort(data), least)


def _fitted(data: FloatArray, least: float | None) -> Tail:
    import powerlaw

    noise = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(noise),
        contextlib.redirect_stderr(noise),
    ):
        warnings.simplefilter("ignore")
        fit: Any = powerlaw.Fit(data, discrete=True, xmin=least, verbose=False)
        law = fit.power_law
        against = {
            name: tuple(float(x) for x in fit.distribution_compare("power_law", name))
            for name in ("exponential", "lognormal")
        }
    return Tail(
        float(law.alpha), float(law.standard_err), float(law.xmin),
        int(np.count_nonzero(data >= law.xmin)), float(law.D),
        (against["exponential"][0], against["exponential"][1]),
        (against["lognormal"][0], against["lognormal"][1]), "",
    )  # fmt: skip


def forced_share_of_moves(price_causes: pd.DataFrame) -> pd.DataFrame:
    """Return how much of what moved each market was forced.

    Returns
    -------
    pandas.DataFrame
        Index `market`; `forced`, `voluntary` (causes ``trade:...``), `exogenous`, `other` (all
        else) [1, log price], sums of absolute recorded moves, and `share`, forced over all [1];
        NaN for a market that never moved. Moves apart from forced ones are recorded net between
        recorded ticks, so that shares depend on ``record.every``.
    """
    causes = with_market(price_causes)
    text = causes["cause"].astype(str)
    kind = pd.Series("other", index=causes.index, dtype=object)
    kind = kind.mask(text == "exogenous", "exogenous")
    kind = kind.mask(text.str.startswith("trade:"), "voluntary")
    kind = kind.mask(text.str.startswith(LIQUIDATION_CAUSE), "forced")
    size = causes.assign(kind=kind, size=causes["price_move"].abs())
    table = size.groupby(["market", "kind"])["size"].sum().unstack(fill_value=0)
    names = ["forced", "voluntary", "exogenous", "other"]
    table = table.reindex(columns=names, fill_value=0.0).astype(np.float64)
    table.columns.name = None
    whole = table.sum(axis=1)
    return table.assign(share=table["forced"] / whole.where(whole > 0.0))
