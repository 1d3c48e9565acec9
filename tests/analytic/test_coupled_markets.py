"""Coupled markets: passive transmission, arbitrage, cross margin; two of them and many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

import sim
from tests.analytic.bench import BookWriter, fall, middles, run, run_text, venues_book

ACCOUNTS = 20_000
TOPS = {"a": 0.45, "b": 0.5}
THETA = np.array([0.45, 0.5])


def radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def falls(result: sim.Result, venues: str = "ab", symbol: str = "X") -> np.ndarray:
    return np.array([fall(result, f"{venue}/{symbol}") for venue in venues])


def clamped(shock: np.ndarray, moves: np.ndarray, tops: np.ndarray) -> np.ndarray:
    """Least fixed point of D = s + M min(D / Theta, 1): who is sold cannot be sold again."""
    drop = shock.copy()
    while True:
        after = shock + moves @ np.minimum(drop / tops, 1.0)
        if np.abs(after - drop).max() < 1e-14:
            return after
        drop = after


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return venues_book(ACCOUNTS, TOPS).write(tmp_path_factory.mktemp("two-venues"))


def check_ends(
    found: np.ndarray, shock: np.ndarray, moves: np.ndarray, tops: np.ndarray, number: int
) -> np.ndarray:
    """Compare with ``(I - K)**-1 s`` and return it; ``K = M diag(1 / Theta)``.

    The thresholds sit at (k + 1/2) Theta / N, so that at rest the number of accounts sold on a
    venue is within one half of N D / Theta. The falls are then within (I - K)**-1 M 1 / (2 N).
    """
    inverse = np.linalg.inv(np.eye(len(shock)) - moves / tops)
    closed = inverse @ shock
    slack = inverse @ moves @ np.full(len(shock), 0.5 / number)
    assert (np.abs(found - closed) <= slack + 1e-11).all()
    return np.asarray(closed)


# ------------------------------------------------------------------------ passive transmission

G = np.array([0.6, 0.5])


def transmission(phi: float) -> np.ndarray:
    return np.array([[G[0], phi * G[1]], [phi * G[0], G[1]]])


def transmitted(phi: float) -> np.ndarray:
    """M of D = s + M f, with lambda = g Theta."""
    return transmission(phi) * THETA


@pytest.mark.parametrize(
    ("phi", "rho", "printed"),
    [(0.3, 0.721756, (0.028902, 0.010405)), (0.6, 0.882415, (0.054348, 0.039130))],
)
def test_cross_impact(
    book: dict[str, str], phi: float, rho: float, printed: tuple[float, float]
) -> None:
    matrix = transmission(phi)
    assert radius(matrix) == pytest.approx(rho, abs=5e-7)
    found = falls(run("cross-impact", {**book, "coupling.0.phi": phi}))
    closed = check_ends(found, np.array([0.01, 0.0]), transmitted(phi), THETA, ACCOUNTS)
    assert closed == pytest.approx(np.array(printed), abs=5e-7)


def test_cross_impact_tips_at_the_critical_phi(book: dict[str, str]) -> None:
    critical = float(np.sqrt((1 - G[0]) * (1 - G[1]) / (G[0] * G[1])))
    assert critical == pytest.approx(0.816497, abs=5e-7)
    assert radius(transmission(critical)) == pytest.approx(1.0, abs=1e-12)
    shock, sold = np.array([0.001, 0.0]), {}
    for phi in (critical - 0.01, critical + 0.01):
        result = run("cross-impact", {**book, "coupling.0.phi": phi, "shocks.0.return": -0.001})
        sold[phi < critical] = result.summary["venues"]["a"]["accounts_liquidated"]
        if phi < critical:
            check_ends(falls(result), shock, transmitted(phi), THETA, ACCOUNTS)
        else:
            closed = clamped(shock, transmitted(phi), THETA)
            assert falls(result) == pytest.approx(closed, abs=1e-4)
    assert sold[True] < 0.3 * ACCOUNTS
    assert sold[False] == ACCOUNTS


def test_transmitted_moves_are_booked_to_the_venue_that_sold(book: dict[str, str]) -> None:
    """Generation 0: A sells the share s / Theta_A; B feels phi of the move and sells nothing."""
    result = run("cross-impact", {**book, "coupling.0.phi": 0.3})
    causes = result.price_causes
    on_b = causes[(causes["venue"] == "b") & (causes["generation"] == 0)]
    assert list(on_b["cause"]) == ["liquidation:a"]
    felt = 1.0 - np.exp(on_b["price_move"].iloc[0])
    assert felt == pytest.approx(0.3 * G[0] * 0.01, rel=2e-3)


# ------------------------------------------------------------------------------------ arbitrage

LAMBDA = np.array([0.5, 0.1])


def arbitrage_moves(kappa: float, impact: np.ndarray = LAMBDA) -> np.ndarray:
    """M of D = s + M f for any number of venues with linear impact.

    Own moves u = lambda f; each venue closes the share kappa of its gap to the level
    ``sum(u / lambda) / sum(1 / lambda)`` at which the arbitrageur's volumes add up to nothing.
    """
    weight = (1.0 / impact) / (1.0 / impact).sum()
    own = np.diag(impact)
    return (1.0 - kappa) * own + kappa * np.outer(np.ones(len(impact)), weight @ own)


def arbitrage_matrix(kappa: float) -> np.ndarray:
    return arbitrage_moves(kappa) / THETA


def test_two_venue_form_of_the_arbitrage_matrix() -> None:
    w = LAMBDA / LAMBDA.sum()
    for kappa in (0.0, 0.25, 1.0):
        two = [
            [LAMBDA[0] * (1 - kappa * w[0]), kappa * w[0] * LAMBDA[1]],
            [kappa * w[1] * LAMBDA[0], LAMBDA[1] * (1 - kappa * w[1])],
        ]
        assert arbitrage_moves(kappa) == pytest.approx(np.array(two), abs=1e-15)
    effective = LAMBDA.prod() / LAMBDA.sum()
    assert effective == pytest.approx(0.083333, abs=5e-7)
    assert arbitrage_moves(1.0) == pytest.approx(np.full((2, 2), effective), abs=1e-15)


@pytest.mark.parametrize(
    ("kappa", "rho"), [(0.0, 1.111111), (0.1, 1.018894), (0.25, 0.882422), (0.5, 0.664194),
                       (1.0, 0.351852)],
)  # fmt: skip
def test_arbitrage(book: dict[str, str], kappa: float, rho: float) -> None:
    matrix = arbitrage_matrix(kappa)
    assert radius(matrix) == pytest.approx(rho, abs=5e-7)
    shock = np.array([0.01, 0.0])
    result = run("arbitrage", {**book, "coupling.0.kappa": kappa})
    found = falls(result)
    if rho < 1.0:
        check_ends(found, shock, arbitrage_moves(kappa), THETA, ACCOUNTS)
    else:  # A is sold out; arbitrage spreads what that does to both venues
        closed = clamped(shock, arbitrage_moves(kappa), THETA)
        assert found == pytest.approx(closed, abs=1e-4)
        assert result.summary["venues"]["a"]["accounts_liquidated"] == ACCOUNTS
    printed = {0.25: (0.084757, 0.004854), 1.0: (0.012857, 0.002857)}
    if kappa in printed:
        assert found == pytest.approx(np.array(printed[kappa]), abs=2e-4)


def test_arbitrage_stabilises_at_the_critical_kappa(book: dict[str, str]) -> None:
    critical = brentq(lambda k: radius(arbitrage_matrix(k)) - 1.0, 0.0, 1.0, xtol=1e-14)
    assert critical == pytest.approx(0.120603, abs=5e-7)
    sold = {}
    for kappa in (critical - 0.01, critical + 0.01):
        values = {**book, "coupling.0.kappa": kappa, "shocks.0.return": -0.001}
        result = run("arbitrage", values)
        sold[kappa < critical] = result.summary["venues"]["a"]["accounts_liquidated"]
        closed = clamped(np.array([0.001, 0.0]), arbitrage_moves(kappa), THETA)
        if kappa < critical:
            assert falls(result) == pytest.approx(closed, abs=1e-4)
        else:
            check_ends(
                falls(result), np.array([0.001, 0.0]), arbitrage_moves(kappa), THETA, ACCOUNTS
            )
    assert sold[True] == ACCOUNTS
    assert sold[False] < 0.25 * ACCOUNTS


def test_arbitrageur_ends_flat_in_every_generation(book: dict[str, str]) -> None:
    """What it buys on A it sells on B: its moves divided by lambda add up to nothing.

    The price after each booking is rebuilt from the log moves; within a generation a venue is
    moved by its own forced orders first and by the arbitrageur after them.
    """
    result = run("arbitrage", {**book, "coupling.0.kappa": 0.4})
    volumes: dict[int, dict[str, float]] = {}
    for venue, impact in zip("ab", LAMBDA, strict=True):
        rows = result.price_causes[result.price_causes["venue"] == venue]
        price = 1.0
        kind = rows["cause"].str.split(":").str[0]
        rank = kind.map({"exogenous": 0, "liquidation": 1, "arbitrage": 2})
        for row in rows.assign(rank=rank).sort_values(["generation", "rank"]).itertuples():
            after = price * np.exp(row.price_move)
            if row.rank == 2:
                volumes.setdefault(row.generation, {})[venue] = (after - price) / impact
            price = after
    assert len(volumes) > 10
    assert all(set(parts) == {"a", "b"} for parts in volumes.values())
    assert volumes[0]["a"] > 1e-3  # it buys on A, where the forced selling is
    assert max(abs(parts["a"] + parts["b"]) for parts in volumes.values()) < 1e-14
    # Hence the total volume that met the two books is exactly what was liquidated.
    shock = np.array([0.01, 0.0])
    sold = -result.liquidations["quantity"].sum()
    assert ((falls(result) - shock) / LAMBDA).sum() == pytest.approx(sold, abs=1e-11)


# ----------------------------------------------------------------------------------- many venues

MANY = "pqrst"
MANY_TOPS = {"p": 0.4, "q": 0.5, "r": 0.45, "s": 0.6, "t": 0.35}
MANY_IMPACT = np.array([0.12, 0.2, 0.09, 0.15, 0.1])
MANY_SHOCK = np.array([0.01, 0.0, 0.004, 0.0, 0.002])


def many_venues(coupling: str, folder: Path) -> sim.Result:
    venues_book(ACCOUNTS // 2, MANY_TOPS).write(folder)
    venues = "\n".join(
        f"  {venue}: {{margin: {{kind: cross, maintenance_rate: 0}}}}" for venue in MANY
    )
    markets = "\n".join(
        f"  - {{venue: {venue}, symbol: X, kind: perpetual, base: X, quote: USD,"
        f" impact: {{kind: linear, coefficient: {impact}}}}}"
        for venue, impact in zip(MANY, MANY_IMPACT, strict=True)
    )
    shocks = "\n".join(
        f"  - {{kind: jump, at: 0s, asset: X, venue: {venue}, return: {-shock}}}"
        for venue, shock in zip(MANY, MANY_SHOCK, strict=True)
        if shock > 0.0
    )
    return run_text(
        f"""
schema_version: 1
name: many-venues
clock: {{tick: 1s, horizon: 1s}}
assets: {{USD: {{price: 1}}, X: {{price: 1}}}}
venues:
{venues}
markets:
{markets}
coupling:
  - {coupling}
traders:
  - book: {{accounts: accounts.parquet, balances: balances.parquet, positions: positions.parquet}}
shocks:
{shocks}
""",
        folder,
    )


def test_cross_impact_of_five_venues(tmp_path: Path) -> None:
    phi, tops = 0.2, np.array(list(MANY_TOPS.values()))
    result = many_venues(f"{{kind: cross_impact, asset: X, phi: {phi}}}", tmp_path)
    mixing = np.where(np.eye(5) > 0, 1.0, phi)
    matrix = mixing * (MANY_IMPACT / tops)
    assert 0.5 < radius(matrix) < 0.9
    check_ends(falls(result, MANY), MANY_SHOCK, matrix * tops, tops, ACCOUNTS // 2)


@pytest.mark.parametrize("kappa", [0.3, 1.0])
def test_arbitrage_between_five_venues(tmp_path: Path, kappa: float) -> None:
    tops = np.array(list(MANY_TOPS.values()))
    result = many_venues(f"{{kind: arbitrage, asset: X, kappa: {kappa}}}", tmp_path)
    found = falls(result, MANY)
    check_ends(found, MANY_SHOCK, arbitrage_moves(kappa, MANY_IMPACT), tops, ACCOUNTS // 2)
    sold = -result.liquidations["quantity"].sum()
    assert ((found - MANY_SHOCK) / MANY_IMPACT).sum() == pytest.approx(sold, abs=1e-11)


# --------------------------------------------------------------------------------- cross margin

HOLDING = np.array([1.0, 0.5])
DEPTH = np.diag([0.2, 0.4])
BUFFER = 0.6
ASSET_SHOCK = np.array([0.02, 0.01])


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    holdings = [("one", "X", 1.0 / ACCOUNTS), ("one", "Y", 0.5 / ACCOUNTS)]
    book = BookWriter().add("a", "one", BUFFER * middles(ACCOUNTS) / ACCOUNTS, holdings)
    return book.write(tmp_path_factory.mktemp("portfolio"))


def test_cross_margin(portfolio: dict[str, str]) -> None:
    g = HOLDING @ DEPTH @ HOLDING / BUFFER
    assert g == pytest.approx(0.5, abs=1e-15)
    matrix = DEPTH @ np.outer(HOLDING, HOLDING) / BUFFER
    assert np.linalg.matrix_rank(matrix) == 1
    closed = np.linalg.solve(np.eye(2) - matrix, ASSET_SHOCK)
    assert closed == pytest.approx([0.036667, 0.026667], abs=5e-7)
    result = run("cross-margin", portfolio)
    found = np.array([fall(result, "one/X"), fall(result, "one/Y")])
    slack = DEPTH @ HOLDING * 0.5 / (ACCOUNTS * (1.0 - g))
    assert (np.abs(found - closed) <= slack + 1e-11).all()
    sold = result.summary["accounts_liquidated"] / ACCOUNTS
    assert sold == pytest.approx(1.0 / 12.0, abs=2.0 / ACCOUNTS)


def test_cross_margin_carries_a_fall_of_one_asset_to_the_other(portfolio: dict[str, str]) -> None:
    """Y has no shock at all; it falls because the holders of X hold it as well."""
    result = run("cross-margin", {**portfolio, "shocks.1.return": 0.0})
    loss = 0.02 / (1.0 - 0.5)
    closed = np.array([0.02, 0.0]) + DEPTH @ HOLDING * loss / BUFFER
    found = np.array([fall(result, "one/X"), fall(result, "one/Y")])
    assert found == pytest.approx(closed, abs=5e-5)
    causes = result.price_causes[result.price_causes["symbol"] == "Y"]
    assert set(causes["cause"]) == {"liquidation:one"}


def test_a_hedge_breaks_the_tie(tmp_path: Path) -> None:
    """n = (1, -0.5): selling X means buying Y back, and the gap between them is what counts."""
    holdings = [("one", "X", 1.0 / ACCOUNTS), ("one", "Y", -0.5 / ACCOUNTS)]
    book = BookWriter().add("a", "one", BUFFER * middles(ACCOUNTS) / ACCOUNTS, holdings)
    result = run("cross-margin", book.write(tmp_path))
    hedged = np.array([1.0, -0.5])
    matrix = DEPTH @ np.outer(hedged, hedged) / BUFFER
    closed = np.linalg.solve(np.eye(2) - matrix, ASSET_SHOCK)
    found = np.array([fall(result, "one/X"), fall(result, "one/Y")])
    assert found == pytest.approx(closed, abs=5e-5)
    assert found[1] < 1e-4  # the shock of 1 % is bought back entirely
