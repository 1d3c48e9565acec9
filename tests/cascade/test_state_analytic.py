"""Amplification, ladder and critical shocks of states whose answers are known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import sim
from sim.cascade import Criterion, State
from sim.engine.state import state
from tests.analytic.bench import (
    ANALYTIC,
    BookWriter,
    middles,
    pareto_book,
    uniform_book,
    venues_book,
)

N = 4000
WINDOW = 0.05
"""An account more or less among those near their margin is THETA / (N WINDOW) of a density."""

COUNTED = 0.5 / (N * WINDOW)

Make = Callable[..., State]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def build(name: str, book: BookWriter, overrides: Mapping[str, Any] | None = None) -> State:
        files = book.write(tmp_path / name)
        return state(sim.load(ANALYTIC / f"{name}.yaml", {**files, **(overrides or {})}))

    return build


def linear(g: float) -> dict[str, float]:
    """Return the impact that gives a uniform book on [0, 0.5] the ratio g."""
    return {"markets.0.impact.coefficient": 0.5 * g}


# -- L1: thresholds uniform on [0, Theta], D = s / (1 - g)


@pytest.mark.parametrize("g", [0.5, 0.8, 0.95, 1.2])
def test_uniform_thresholds(make: Make, g: float) -> None:
    """The radius is g; half is sold at s = Theta (1 - g) / 2; beyond g = 1 anything tips it."""
    found = make("linear-cascade", uniform_book(N), linear(g))
    matrix = found.amplification(window=WINDOW)
    assert matrix.radius == pytest.approx(g, rel=COUNTED + 1e-4)
    shock = found.critical_shock(criterion=Criterion(share=0.5), window=WINDOW)
    if g > 1.0:
        assert shock.criterion == "jump"
        assert shock.upper < 2.0 * 0.5 / N
        assert (shock.linear, shock.spectral) == (0.0, 0.0)
        assert shock.share_after == 1.0
    else:
        closed = 0.5 * 0.5 * (1.0 - g)
        assert shock.criterion == "share"
        assert shock.size == pytest.approx(closed, rel=0.01)
        assert shock.linear == pytest.approx(closed, rel=(COUNTED + 1e-4) / (1.0 - g))
        assert np.isinf(shock.spectral)  # the radius is the same at every size


def test_response_of_uniform_thresholds(make: Make) -> None:
    """The shock sells s / Theta, the cascade D / Theta; the radius stays until all is sold."""
    found = make("linear-cascade", uniform_book(N), linear(0.8))
    sizes = [0.0, 0.01, 0.05, 0.09, 0.2]
    table = found.response(sizes[::-1], {"X": -1.0}, window=WINDOW)
    assert table["size"].tolist() == sizes
    closed = np.minimum(np.array(sizes) / 0.2 / 0.5, 1.0)
    assert table["share"].to_numpy() == pytest.approx(closed, abs=3.0 / N)
    assert table["first_share"].to_numpy() == pytest.approx(np.array(sizes) / 0.5, abs=0.5 / N)
    assert (table["accounts"] / N).to_numpy() == pytest.approx(closed, abs=3.0 / N)
    # at the price 1 - D a sale moves log prices by 1 / (1 - D) more, and 1 - D as many are near
    assert table["radius"].iloc[:3].to_numpy() == pytest.approx(0.8, rel=2 * COUNTED)
    assert table["radius"].iloc[-1] == 0.0


def test_ladder_of_uniform_thresholds_is_a_straight_line(make: Make) -> None:
    found = make("linear-cascade", uniform_book(N))
    moves = [-0.6, -0.5, -0.25, -0.1, -0.01, 0.0, 0.3]
    ladder = found.liquidation_ladder("one/X", moves=moves)
    sells = ladder[ladder["side"] == "sell"]
    assert sells["move"].tolist() == moves
    closed = np.minimum(np.maximum(-np.array(moves), 0.0) / 0.5, 1.0)
    assert sells["notional"].to_numpy() == pytest.approx(closed, abs=0.5 / N + 1e-12)
    assert sells["quantity"].to_numpy() == pytest.approx(-sells["notional"].to_numpy())
    assert sells["accounts"].tolist() == pytest.approx((closed * N).tolist(), abs=0.5)
    assert (ladder.loc[ladder["side"] == "buy", "notional"] == 0.0).all()
    same = found.liquidation_ladder(asset="X", moves=moves)
    assert same.equals(ladder)


# -- L4: square-root impact, a fall c sqrt(f) by the sale of a share f


@pytest.mark.parametrize("beside", [0.0, 1e-9, -1e-9, 1e-5])
def test_square_root_is_answered_over_the_window(make: Make, beside: float) -> None:
    """A window W breaks W / Theta: K = c sqrt(W / Theta) / W, at the anchor and beside it."""
    impact = {"kind": "square_root", "y": 0.1, "sigma": 1, "adv": 1}
    found = make("linear-cascade", uniform_book(N), {"markets.0.impact": impact})
    markets = found.markets.assign(anchor=found.markets["anchor"] * (1.0 + beside))
    nearby = State({**found.tables, "markets": markets}, found.rules)
    fall = 1.0 - np.exp(-WINDOW)
    closed = 0.1 * np.sqrt(fall / 0.5) / fall
    assert nearby.amplification(window=WINDOW).radius == pytest.approx(closed, rel=0.01)


# -- L5: Pareto leverage, a saddle-node at s = 1 / (4 k)


@pytest.mark.parametrize("k", [2.0, 4.0])
def test_saddle_node(make: Make, k: float) -> None:
    """Search and spectral prediction find s* = 1 / (4 k); at D* = 1 / (2 k) the radius is 1."""
    book = {"markets.0.impact.coefficient": k}
    found = make("pareto-leverage", pareto_book(5 * N, 2.0, 0.0), book)
    shock = found.critical_shock()
    assert shock.criterion == "jump"
    assert shock.size == pytest.approx(1.0 / (4.0 * k), rel=0.01)
    assert shock.spectral == pytest.approx(1.0 / (4.0 * k), rel=0.01)
    assert shock.share_before == pytest.approx((0.5 / k) ** 2, rel=0.1)
    assert shock.share_after == 1.0
    # 1 - sqrt(1 - s / s*), and the window looks half its width ahead of a density that rises
    near = found.amplification(shock=0.99 / (4.0 * k), window=0.01).radius
    ahead = 0.01 * k * (1.0 - 0.9 / (2.0 * k))
    assert near == pytest.approx(1.0 - 0.1 + ahead, abs=0.01)


# -- L6, L7: two venues

THETA = np.array([0.45, 0.5])


def radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def transmission(phi: float) -> np.ndarray:
    g = np.array([0.6, 0.5])
    return np.array([[1.0, phi], [phi, 1.0]]) * g


def arbitrage(kappa: float) -> np.ndarray:
    impact = np.array([0.5, 0.1])
    w = impact / impact.sum()
    moves = np.array(
        [[impact[0] * (1 - kappa * w[0]), kappa * w[0] * impact[1]],
         [kappa * w[1] * impact[0], impact[1] * (1 - kappa * w[1])]]
    )  # fmt: skip
    return moves / THETA


@pytest.mark.parametrize(
    ("name", "key", "closed", "printed"),
    [("cross-impact", "coupling.0.phi", transmission, {0.3: 0.721756, 0.6: 0.882415, 0.9: None}),
     ("arbitrage", "coupling.0.kappa", arbitrage,
      {0.0: 1.111111, 0.1: 1.018894, 0.25: 0.882422, 0.5: 0.664194, 1.0: 0.351852})],
)  # fmt: skip
def test_matrix_of_two_venues(
    make: Make, name: str, key: str, closed: Any, printed: dict[float, float | None]
) -> None:
    book = venues_book(N, dict(zip("ab", THETA, strict=True)))
    for value, rho in printed.items():
        found = make(name, book, {key: value}).amplification(window=WINDOW)
        assert list(found.matrix.index) == list(found.matrix.columns) == ["a/X", "b/X"]
        # a column is a density that is counted to within one account, half on either side
        assert found.matrix.to_numpy() == pytest.approx(closed(value), rel=COUNTED + 1e-4)
        assert found.radius == pytest.approx(radius(closed(value)), rel=COUNTED + 1e-4)
        if rho is not None:
            assert found.radius == pytest.approx(rho, rel=0.01)


def test_critical_coupling_of_two_venues(make: Make) -> None:
    """The radius of the state crosses 1 at the phi and kappa of the closed forms, within 1 %."""
    book = venues_book(N, dict(zip("ab", THETA, strict=True)))
    # Thresholds are uniform, so a wide window counts more accounts and is no less local. The radius
    # falls by 0.9 per unit of kappa, and an account more or less is 0.6 % of kappa.
    window = 0.2

    def crossing(name: str, key: str) -> float:
        def above(value: float) -> float:
            return make(name, book, {key: value}).amplification(window=window).radius - 1.0

        return float(brentq(above, 0.0, 1.0, xtol=1e-4))

    phi = np.sqrt((1 - 0.6) * (1 - 0.5) / (0.6 * 0.5))
    assert crossing("cross-impact", "coupling.0.phi") == pytest.approx(phi, rel=0.01)
    kappa = brentq(lambda k: radius(arbitrage(k)) - 1.0, 0.0, 1.0)
    assert kappa == pytest.approx(0.120603, abs=5e-7)
    assert crossing("arbitrage", "coupling.0.kappa") == pytest.approx(kappa, rel=0.01)


@pytest.mark.parametrize(
    ("name", "key", "closed_matrix", "value"),
    [("cross-impact", "coupling.0.phi", transmission, 0.3),
     ("cross-impact", "coupling.0.phi", transmission, 0.9),
     ("arbitrage", "coupling.0.kappa", arbitrage, 0.25),
     ("arbitrage", "coupling.0.kappa", arbitrage, 0.05)],
)  # fmt: skip
def test_tipping_of_two_venues(
    make: Make, name: str, key: str, closed_matrix: Any, value: float
) -> None:
    """Where the radius is below 1 a share is reached where (I - K)^-1 s says; else all tips."""
    found = make(name, venues_book(N, dict(zip("ab", THETA, strict=True))), {key: value})
    shock = found.critical_shock({"a/X": -1.0}, criterion=Criterion(share=0.1), window=WINDOW)
    matrix = closed_matrix(value)
    if radius(matrix) > 1.0:
        assert (shock.criterion, shock.linear, shock.spectral) == ("jump", 0.0, 0.0)
        assert shock.size < THETA[0] / N
        return
    falls = np.linalg.solve(np.eye(2) - matrix, [1.0, 0.0])
    closed = 0.1 / (falls / THETA).mean()
    assert shock.criterion == "share"
    assert shock.size == pytest.approx(closed, rel=0.01)
    assert shock.linear == pytest.approx(closed, rel=0.01)


def test_carriers_of_two_venues(make: Make) -> None:
    """Venue i brings l_i K_i. r: with g = (0.6, 0.5), phi = 0.3 by eigenvectors of K."""
    found = make("cross-impact", venues_book(N, dict(zip("ab", THETA, strict=True))))
    matrix = found.amplification(window=WINDOW)
    values, right = np.linalg.eig(transmission(0.3))
    k = int(values.argmax())
    left = np.linalg.inv(right)[k]
    # who breaks on n sells on n: the column of K that answers n is the part of venue n
    closed = left @ transmission(0.3) * right[:, k]
    table = matrix.carriers("clearer").set_index("clearer")
    assert table.loc[["a", "b"], "contribution"].to_numpy() == pytest.approx(closed, rel=0.01)
    for by in ("account", "trader", "cohort", "clearer", "market"):
        parts = matrix.carriers(by)
        assert parts["contribution"].sum() == pytest.approx(matrix.radius, rel=1e-9)
        assert parts["share"].sum() == pytest.approx(1.0, rel=1e-9)
        assert parts["contribution"].is_monotonic_decreasing
    vectors = matrix.vectors
    assert (vectors["left"] * vectors["right"]).sum() == pytest.approx(1.0)


# -- L8: one portfolio in two assets


@pytest.mark.parametrize("second", [0.5, -0.5])
def test_portfolio_has_a_matrix_of_rank_one(make: Make, second: float) -> None:
    """K = Lambda n n' / Theta, radius n' Lambda n / Theta = 0.5; a hedge has negative entries."""
    held = [("one", "X", 1.0 / N), ("one", "Y", second / N)]
    found = make("cross-margin", BookWriter().add("a", "one", 0.6 * middles(N) / N, held))
    portfolio, depth = np.array([1.0, second]), np.diag([0.2, 0.4])
    closed = depth @ np.outer(portfolio, portfolio) / 0.6
    if second > 0.0:
        matrix = found.amplification(window=WINDOW)
    else:  # a short breaks as its market rises
        matrix = found.amplification({"one/X": -1.0, "one/Y": 1.0}, window=WINDOW)
    assert matrix.matrix.to_numpy() == pytest.approx(closed, rel=4 * COUNTED)
    assert matrix.radius == pytest.approx(0.5, rel=4 * COUNTED)
    slopes = found.sensitivities().pivot(index="account_id", columns="market", values="slope")
    assert slopes.to_numpy() == pytest.approx(np.tile(portfolio / N, (N, 1)), rel=1e-6)


def test_surface_of_a_portfolio_is_a_straight_line(make: Make) -> None:
    """It tips where n . s reaches the same loss in every direction: x + 0.5 y is constant."""
    held = [("one", "X", 1.0 / N), ("one", "Y", 0.5 / N)]
    found = make("cross-margin", BookWriter().add("a", "one", 0.6 * middles(N) / N, held))
    surface = found.critical_surface("X", "Y", points=5, criterion=Criterion(share=0.4))
    assert surface["angle"].tolist() == pytest.approx(np.linspace(0, np.pi / 2, 5).tolist())
    assert set(surface["criterion"]) == {"share"}
    loss = -surface["return_a"] - 0.5 * surface["return_b"]
    assert loss.to_numpy() == pytest.approx(0.4 * 0.6 * 0.5, rel=0.01)
