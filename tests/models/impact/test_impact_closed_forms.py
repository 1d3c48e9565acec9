"""Impact models against published numbers and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.models.impact import (
    ExponentialImpact,
    LinearImpact,
    PowerImpact,
    SquareRootImpact,
)

# ----------------------------------------------------------------------------- Kyle (1985)


def test_kyle_equilibrium_is_a_fixed_point_of_the_linear_book() -> None:
    """Theorem 1: lambda = sqrt(S0) / (2 su), beta = su / sqrt(S0), profit = su sqrt(S0) / 2."""
    variance, noise = 4.0, 3.0
    coefficient, beta, profit = 1.0 / 3.0, 1.5, 3.0
    book = LinearImpact(coefficient=coefficient)
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    earned, residual = 0.0, 0.0
    for z, w in zip(nodes.tolist(), weights.tolist(), strict=True):
        value = 100.0 + math.sqrt(variance) * z
        grid = beta * (value - 100.0) + np.linspace(-1.0, 1.0, 201)
        gains = [x * (value - book.execute(100.0, 100.0, x).price_after) for x in grid.tolist()]
        assert int(np.argmax(gains)) == 100
        earned += w * gains[100]
        for u, wu in zip((noise * nodes).tolist(), weights.tolist(), strict=True):
            price = book.execute(100.0, 100.0, beta * (value - 100.0) + u).price_after
            residual += w * wu * (value - price) ** 2
    assert earned == pytest.approx(profit, rel=1e-12)
    assert residual == pytest.approx(variance / 2.0, rel=1e-12)


def test_batch_rounds_of_uniform_thresholds() -> None:
    """Thresholds U[0, 0.5], unit holdings, g = 0.8, s = 0.02: D_k = s (1 - g**(k+1)) / (1 - g)."""
    book, theta = LinearImpact(coefficient=0.4), 0.5
    price, sold = 1.0 - 0.02, 0.0
    drops = [1.0 - price]
    for _ in range(6):
        due = min((1.0 - price) / theta, 1.0)
        price = book.execute(price, 1.0, -(due - sold)).price_after
        sold = due
        drops.append(1.0 - price)
    expected = [0.02, 0.036, 0.0488, 0.05904, 0.067232, 0.073786, 0.079028]
    assert drops == pytest.approx(expected, abs=5e-7)


# ------------------------------------------------------------------- Obizhaeva, Wang (2013)


def obizhaeva_wang_cost(steps: int, permanent_share: float) -> tuple[float, float]:
    """Return cost in excess of the start price of the optimal strategy, and its closed form."""
    size, horizon, speed, total = 1e5, 1.0, 2.2231, 2e-5
    book = LinearImpact(
        coefficient=total,
        resilience_half_life=math.log(2.0) / speed,
        permanent_share=permanent_share,
    )
    block = size / (speed * horizon + 2.0)
    step = (size - 2.0 * block) / steps
    factor = book.decay_factor(horizon / steps)
    half = book.decay_factor(0.5 * horizon / steps)
    price, anchor, cost = 100.0, 100.0, 0.0
    for k, quantity in enumerate([block, *[step] * steps, block]):
        if k > 0:
            price, anchor = book.relax(price, anchor, half if k in (1, steps + 1) else factor)
        fill = book.execute(price, anchor, quantity)
        cost += quantity * (fill.average_price - 100.0)
        price = fill.price_after
    transient = (1.0 - permanent_share) * total
    closed = permanent_share * total * size**2 / 2.0 + transient * size**2 / (speed * horizon + 2.0)
    return cost, closed


def test_obizhaeva_wang_strategy() -> None:
    size, speed = 1e5, 2.2231
    block, flow = size / (speed + 2.0), speed * size / (speed + 2.0)
    assert block == pytest.approx(23679.2877, abs=5e-5)
    assert flow == pytest.approx(52641.4245, abs=5e-5)


@pytest.mark.parametrize("permanent_share", [0.0, 0.3, 1.0])
def test_resilient_linear_book_costs_what_obizhaeva_and_wang_say(permanent_share: float) -> None:
    errors = []
    for steps in (10, 100, 1000):
        cost, closed = obizhaeva_wang_cost(steps, permanent_share)
        errors.append(abs(cost / closed - 1.0))
    assert errors[-1] < 1e-6
    if permanent_share < 1.0:
        assert errors[1] < errors[0] / 20.0
        assert errors[2] < errors[1] / 20.0


def test_obizhaeva_wang_strategy_beats_its_neighbours() -> None:
    """No other split between the blocks and the even flow is cheaper on the same grid."""
    speed, steps = 2.2231, 200
    book = LinearImpact(coefficient=1.0, resilience_half_life=math.log(2.0) / speed)

    def cost(block: float) -> float:
        price, anchor, paid = 100.0, 100.0, 0.0
        flow = (1.0 - 2.0 * block) / steps
        for k, quantity in enumerate([block, *[flow] * steps, block]):
            dt = 0.0 if k == 0 else 0.5 / steps if k in (1, steps + 1) else 1.0 / steps
            price, anchor = book.relax(price, anchor, book.decay_factor(dt))
            fill = book.execute(price, anchor, quantity)
            paid += quantity * (fill.average_price - 100.0)
            price = fill.price_after
        return paid

    best = 1.0 / (speed + 2.0)
    assert cost(best) == pytest.approx(0.2367929, abs=2e-5)
    assert cost(best) < min(cost(best - 0.02), cost(best + 0.02))


# ------------------------------------------------------------------------------ square root


def test_square_root_cost_from_rest_is_two_thirds_of_the_impact() -> None:
    book = SquareRootImpact(y=0.9, sigma=0.04, volume=1e4)
    for quantity in (-2_500.0, -1.0, 1e-6, 40.0, 9e4):
        fill = book.execute(50.0, 50.0, quantity)
        impact = 0.9 * 0.04 * math.sqrt(abs(quantity) / 1e4) * math.copysign(1.0, quantity)
        assert fill.price_after / 50.0 - 1.0 == pytest.approx(impact, rel=1e-9)
        cost = (fill.average_price - 50.0) / (fill.price_after - 50.0)
        assert cost == pytest.approx(2.0 / 3.0, rel=1e-6)


def test_fitted_exponent_of_metaorders_is_one_half() -> None:
    """A metaorder of n child orders; exponent of its impact in its size over four decades."""
    book = SquareRootImpact(y=1.0, sigma=0.03, volume=1e6)
    sizes = np.logspace(0.0, 4.0, 30)
    impacts = []
    for size in sizes.tolist():
        price = 100.0
        for _ in range(20):
            price = book.execute(price, 100.0, size / 20.0).price_after
        impacts.append(price / 100.0 - 1.0)
    slope = np.polyfit(np.log(sizes), np.log(impacts), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.02)


def test_square_root_round_trip_across_rest() -> None:
    """Buying 100 and selling 400 leaves a net flow of -300; the path crosses the anchor."""
    book = SquareRootImpact(y=1.0, sigma=0.1, volume=1e4)
    up = book.execute(100.0, 100.0, 100.0)
    down = book.execute(up.price_after, 100.0, -400.0)
    scale = 0.1 / 100.0
    assert up.price_after == pytest.approx(100.0 * (1.0 + scale * 10.0), rel=1e-13)
    assert down.price_after == pytest.approx(100.0 * (1.0 - scale * math.sqrt(300.0)), rel=1e-12)
    integral = 2.0 / 3.0 * scale * (300.0**1.5 - 100.0**1.5) / 400.0
    assert down.average_price == pytest.approx(100.0 * (1.0 - integral), rel=1e-12)
    back = book.execute(100.0 * (1.0 - scale * 10.0), 100.0, 400.0)
    assert back.average_price == pytest.approx(100.0 * (1.0 + integral), rel=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_square_root_unwound_to_rest_and_a_little_beyond(sign: float) -> None:
    """Scale 1/2: one contract is a displacement of 1/2, exactly in binary."""
    book = SquareRootImpact(y=1.0, sigma=1.0, volume=4.0)
    rest = book.execute(64.0 * (1.0 + sign * 0.5), 64.0, -sign)
    assert rest.price_after == 64.0
    assert rest.average_price == pytest.approx(64.0 * (1.0 + sign / 3.0), rel=1e-14)
    beyond = book.execute(64.0 * (1.0 + sign * 0.5), 64.0, -sign * 1.25)
    integral = 2.0 / 3.0 * 0.5 * (1.0 - 0.25**1.5) / 1.25
    assert beyond.price_after == pytest.approx(64.0 * (1.0 - sign * 0.25), rel=1e-14)
    assert beyond.average_price == pytest.approx(64.0 * (1.0 + sign * integral), rel=1e-14)


# ------------------------------------------------------------------- Almgren et al. (2005)


@pytest.mark.parametrize(
    ("volume", "outstanding", "sigma", "permanent", "printed_permanent", "costs", "printed"),
    [
        (
            6.561e6,
            1728e6,
            0.0157,
            19.8597,
            20,
            {0.1: 32.2239, 0.2: 24.6384, 0.5: 18.4179},
            {0.1: 32, 0.2: 25, 0.5: 18},
        ),
        (
            1.929e6,
            168e6,
            0.0226,
            21.6787,
            22,
            {0.1: 42.9313, 0.2: 32.0122, 0.5: 23.0577},
            {0.1: 43, 0.2: 32, 0.5: 23},
        ),
    ],
    ids=["IBM", "DRI"],
)
def test_almgren_examples(
    volume: float,
    outstanding: float,
    sigma: float,
    permanent: float,
    printed_permanent: int,
    costs: dict[float, float],
    printed: dict[float, int],
) -> None:
    """I and J in basis points for a tenth of a day's volume over T days, both signs."""
    for days, cost in costs.items():
        book = PowerImpact(
            sigma=sigma, volume=volume, outstanding=outstanding, duration=days * 86_400.0
        )
        for sign in (1.0, -1.0):
            fill = book.execute(80.0, 80.0, sign * 0.1 * volume)
            found_i = sign * (fill.price_after / 80.0 - 1.0) * 1e4
            found_j = sign * (fill.average_price / 80.0 - 1.0) * 1e4
            assert found_i == pytest.approx(permanent, abs=5e-5)
            assert found_j == pytest.approx(cost, abs=5e-5)
            assert round(found_i) == printed_permanent
            assert round(found_j) == printed[days]


# ----------------------------------------------------------------- Cont, Schaanning (2017)


def test_two_bank_fire_sale() -> None:
    """Two banks, one asset, threshold deleveraging; the whole table of the example."""
    delta = (1.0 - 0.5) * 0.4 * (50.0 / 0.02) * math.sqrt(20.0)
    assert delta == pytest.approx(2236.067977, abs=5e-7)
    book = ExponentialImpact(base_price=0.5, depth=delta, fill="alpha", alpha=0.5)
    price, limit, buffer = 1.0, 33.3, 0.95 * 33.3
    assets, loans, capital = [90.0, 70.0], [10.0 * 0.8, 20.0], [4.0 - 2.0, 4.5]
    table = []
    for _ in range(10):
        levels = [(assets[i] + loans[i]) / capital[i] for i in range(2)]
        shares = [
            min(1.0, (assets[i] + loans[i] - buffer * capital[i]) / assets[i])
            if levels[i] > limit
            else 0.0
            for i in range(2)
        ]
        quantity = sum(shares[i] * assets[i] for i in range(2))
        if quantity == 0.0:
            break
        fill = book.execute(price, 1.0, -quantity)
        kept, got = fill.price_after / price, fill.average_price / price
        for i in range(2):
            sold = shares[i] * assets[i]
            capital[i] -= sold * (1.0 - got) + (assets[i] - sold) * (1.0 - kept)
            assets[i] = (assets[i] - sold) * kept
        price = fill.price_after
        table.append((quantity, 1.0 - kept, *assets, *capital, price))
    expected = [
        (34.730000, 0.007706, 54.844097, 69.460589, 1.440284, 3.960589, 0.992294),
        (17.280700, 0.003819, 37.419931, 69.195299, 1.263819, 3.695299, 0.988504),
        (5.439032, 0.001201, 31.942503, 69.112223, 1.222157, 3.612223, 0.987317),
    ]
    assert len(table) == 3
    for found, wanted in zip(table, expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-6)


def test_alpha_is_the_share_of_the_move_that_the_order_suffers() -> None:
    book = ExponentialImpact(base_price=0.5, depth=100.0, fill="alpha", alpha=0.25)
    for quantity in (-100.0, 30.0):
        fill = book.execute(1.0, 1.0, quantity)
        assert fill.average_price - 1.0 == pytest.approx(0.25 * (fill.price_after - 1.0))


def test_exact_fill_of_the_exponential_book() -> None:
    book = ExponentialImpact(base_price=0.5, depth=100.0)
    fill = book.execute(1.0, 1.0, -100.0)
    assert fill.price_after == pytest.approx(0.5 + 0.5 * math.exp(-1.0), rel=1e-15)
    assert fill.average_price == pytest.approx(0.5 + 0.5 * (1.0 - math.exp(-1.0)), rel=1e-15)
    tiny = book.execute(1.0, 1.0, -1e-9)
    assert 1.0 - tiny.average_price == pytest.approx(2.5e-12, rel=1e-3, abs=0.0)
    assert 1.0 - tiny.price_after == pytest.approx(5e-12, rel=1e-3, abs=0.0)
