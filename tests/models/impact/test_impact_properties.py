"""What every impact model must obey, whatever its formula."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sim.core.errors import RunError
from sim.models.impact import (
    IMPACTS,
    ExponentialImpact,
    IlliquidImpact,
    ImpactModel,
    LinearImpact,
    NoImpact,
    PowerImpact,
    SquareRootImpact,
    build_impact,
)
from sim.schema.impact import Impact

LINEAR = LinearImpact(coefficient=0.01)
SQUARE_ROOT = SquareRootImpact(y=0.8, sigma=0.3, volume=2_000.0)
EXPONENTIAL = ExponentialImpact(base_price=20.0, depth=1_500.0)
ALPHA = ExponentialImpact(base_price=20.0, depth=1_500.0, fill="alpha", alpha=0.3)
POWER = PowerImpact(sigma=0.02, volume=2_000.0, outstanding=50_000.0)
PERMANENT_ONLY = PowerImpact(sigma=0.02, volume=2_000.0, outstanding=50_000.0, eta=0.0)

WALKS = [LINEAR, SQUARE_ROOT, EXPONENTIAL, PERMANENT_ONLY]
MOVERS = [*WALKS, ALPHA, POWER]
EVERY = [*MOVERS, NoImpact()]

prices = st.floats(60.0, 140.0)
anchors = st.floats(80.0, 120.0)
quantities = st.floats(-1_000.0, 1_000.0)
liquidities = st.floats(0.5, 5.0)


def models(choice: list[ImpactModel]) -> st.SearchStrategy[ImpactModel]:
    return st.sampled_from(choice)


def same_price(model: ImpactModel, found: float, expected: float, anchor: float) -> bool:
    """Compare two prices in the coordinate in which the state is well conditioned."""
    if isinstance(model, SquareRootImpact):
        a, b = found / anchor - 1.0, expected / anchor - 1.0
        return math.isclose(a * abs(a), b * abs(b), rel_tol=1e-9, abs_tol=1e-14)
    return math.isclose(found, expected, rel_tol=1e-12)


@given(models(EVERY), prices, anchors, quantities, quantities, liquidities)
def test_two_orders_end_where_their_sum_ends(
    model: ImpactModel, price: float, anchor: float, q1: float, q2: float, m: float
) -> None:
    whole = model.execute(price, anchor, q1 + q2, m)
    first = model.execute(price, anchor, q1, m)
    second = model.execute(first.price_after, anchor, q2, m)
    assert not any(fill.floored for fill in (first, second, whole))
    assert same_price(model, second.price_after, whole.price_after, anchor)


@given(models(WALKS), prices, anchors, quantities, st.floats(0.01, 0.99), liquidities)
def test_splitting_an_order_does_not_change_what_it_costs(
    model: ImpactModel, price: float, anchor: float, q: float, share: float, m: float
) -> None:
    assume(abs(q) > 1e-3)
    whole = model.execute(price, anchor, q, m)
    first = model.execute(price, anchor, share * q, m)
    second = model.execute(first.price_after, anchor, q - share * q, m)
    paid = share * first.average_price + (1.0 - share) * second.average_price
    assert paid == pytest.approx(whole.average_price, rel=1e-8)


@given(models(WALKS), prices, anchors, quantities, liquidities)
def test_average_price_is_the_integral_of_the_walk(
    model: ImpactModel, price: float, anchor: float, q: float, m: float
) -> None:
    assume(abs(q) > 1.0)
    steps = 400
    path = [
        model.execute(price, anchor, q * (k + 0.5) / steps, m).price_after for k in range(steps)
    ]
    average = model.execute(price, anchor, q, m).average_price
    assert average == pytest.approx(sum(path) / steps, rel=2e-5)


@given(models(EVERY), prices, anchors, prices, liquidities)
def test_quantity_to_reach_is_the_inverse_of_execute(
    model: ImpactModel, price: float, anchor: float, target: float, m: float
) -> None:
    quantity = model.quantity_to_reach(price, anchor, target, m)
    if isinstance(model, NoImpact):
        assert quantity == (0.0 if target == price else math.copysign(math.inf, target - price))
        return
    assert math.copysign(1.0, quantity) == math.copysign(1.0, target - price) or quantity == 0.0
    after = model.execute(price, anchor, quantity, m).price_after
    assert same_price(model, after, target, anchor)


@given(models(MOVERS), prices, anchors, quantities, quantities, liquidities)
def test_more_buying_never_ends_lower(
    model: ImpactModel, price: float, anchor: float, q1: float, q2: float, m: float
) -> None:
    low, high = sorted((q1, q2))
    after_low = model.execute(price, anchor, low, m).price_after
    after_high = model.execute(price, anchor, high, m).price_after
    assert after_low <= after_high * (1.0 + 1e-15)


@given(models(MOVERS), prices, anchors, st.floats(1e-3, 1_000.0), liquidities)
def test_buys_raise_and_sells_lower_the_price(
    model: ImpactModel, price: float, anchor: float, size: float, m: float
) -> None:
    assert model.execute(price, anchor, size, m).price_after > price
    assert model.execute(price, anchor, -size, m).price_after < price


@given(models([*WALKS, ALPHA]), prices, anchors, quantities, liquidities)
def test_average_price_lies_between_start_and_end(
    model: ImpactModel, price: float, anchor: float, q: float, m: float
) -> None:
    fill = model.execute(price, anchor, q, m)
    low, high = sorted((price, fill.price_after))
    assert low * (1.0 - 1e-14) <= fill.average_price <= high * (1.0 + 1e-14)


@given(prices, anchors, quantities, liquidities)
def test_temporary_impact_is_a_cost_to_both_sides(
    price: float, anchor: float, q: float, m: float
) -> None:
    assume(abs(q) > 1e-3)
    with_cost = POWER.execute(price, anchor, q, m)
    without = PERMANENT_ONLY.execute(price, anchor, q, m)
    assert with_cost.price_after == without.price_after
    assert (with_cost.average_price - without.average_price) * q > 0.0


@given(models(MOVERS), prices, anchors, quantities, liquidities)
def test_twice_the_depth_takes_twice_the_order(
    model: ImpactModel, price: float, anchor: float, q: float, m: float
) -> None:
    assume(q != 0.0)
    single = model.execute(price, anchor, q, m)
    double = model.execute(price, anchor, 2.0 * q, 2.0 * m)
    assert double.price_after == pytest.approx(single.price_after, rel=1e-13)
    assert double.average_price == pytest.approx(single.average_price, rel=1e-13)


@given(models(MOVERS), prices, anchors, quantities, st.floats(0.5, 2.0))
def test_slope_is_the_derivative(
    model: ImpactModel, price: float, anchor: float, q: float, m: float
) -> None:
    assume(abs(price - anchor) > 0.5)
    step = 1e-4
    up = model.execute(price, anchor, step, m).price_after
    down = model.execute(price, anchor, -step, m).price_after
    assert model.slope(price, anchor, m) == pytest.approx((up - down) / (2 * step), rel=1e-4)


def test_square_root_slope_is_infinite_at_rest() -> None:
    assert SQUARE_ROOT.slope(100.0, 100.0) == math.inf
    assert NoImpact().slope(100.0, 100.0) == 0.0


# ---------------------------------------------------------------------------------- floor


@given(models(WALKS), prices, anchors, st.floats(1.0, 1e5), st.floats(25.0, 59.0), liquidities)
def test_a_sell_stops_at_the_floor_and_fills_the_rest_there(
    model: ImpactModel, price: float, anchor: float, size: float, floor: float, m: float
) -> None:
    to_floor = -model.quantity_to_reach(price, anchor, floor, m)
    fill = model.execute(price, anchor, -size, m, floor=floor)
    if size < to_floor * (1.0 - 1e-9):
        assert not fill.floored
        assert fill == model.execute(price, anchor, -size, m)
        return
    assume(size > to_floor * (1.0 + 1e-9))
    walk = model.execute(price, anchor, -to_floor, m)
    paid = to_floor * walk.average_price + (size - to_floor) * floor
    assert fill.floored
    assert fill.price_after == floor
    assert fill.average_price == pytest.approx(paid / size, rel=1e-10)


@given(models(MOVERS), st.floats(25.0, 100.0), anchors, st.floats(-1e7, -1e-6), st.floats(0.0, 99))
def test_no_price_goes_below_the_floor(
    model: ImpactModel, price: float, anchor: float, q: float, floor: float
) -> None:
    fill = model.execute(price, anchor, q, 1.0, floor=floor)
    bottom = min(floor, price)
    assert fill.price_after >= bottom
    assert fill.average_price >= bottom
    if price > floor and q < 0 and fill.price_after > floor and fill.average_price > floor:
        assert not fill.floored


@pytest.mark.parametrize("model", MOVERS, ids=repr)
def test_below_the_floor_sells_do_not_move_and_buys_do(model: ImpactModel) -> None:
    sell = model.execute(30.0, 100.0, -10.0, 1.0, floor=40.0)
    assert sell == (30.0, 30.0, True)
    buy = model.execute(30.0, 100.0, 10.0, 1.0, floor=40.0)
    assert buy.price_after > 30.0
    assert not buy.floored


@pytest.mark.parametrize("model", [LINEAR, SQUARE_ROOT, POWER], ids=repr)
def test_without_a_floor_the_price_stops_at_zero(model: ImpactModel) -> None:
    fill = model.execute(100.0, 100.0, -1e9)
    assert fill.price_after == 0.0
    assert 0.0 <= fill.average_price < 1.0
    assert fill.floored
    assert model.execute(0.0, 100.0, 1.0).price_after > 0.0


def test_temporary_cost_is_clipped_at_the_floor_and_flagged() -> None:
    model = PowerImpact(sigma=0.02, volume=1e3, outstanding=1e3, gamma=1e-6, eta=50.0)
    fill = model.execute(100.0, 100.0, -500.0, 1.0, floor=1.0)
    assert fill.price_after > 99.0
    assert fill.average_price == 1.0
    assert fill.floored


def test_exponential_book_is_flat_at_and_below_its_base_price() -> None:
    for price in (20.0, 15.0):
        assert EXPONENTIAL.execute(price, 100.0, -5.0) == (price, price, True)
        assert EXPONENTIAL.execute(price, 100.0, 5.0) == (price, price, False)
        assert EXPONENTIAL.slope(price, 100.0) == 0.0
    assert EXPONENTIAL.quantity_to_reach(15.0, 100.0, 30.0) == math.inf
    assert EXPONENTIAL.quantity_to_reach(30.0, 100.0, 20.0) == -math.inf
    assert EXPONENTIAL.execute(100.0, 100.0, -1e9, floor=10.0).price_after == 20.0


def test_exponential_buy_beyond_every_price_is_a_failed_run() -> None:
    with pytest.raises(RunError, match="no finite price"):
        EXPONENTIAL.execute(100.0, 100.0, 1e9)


# ------------------------------------------------------------------------- state and decay


@given(models(EVERY), prices, anchors, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_relax_splits_the_forgotten_displacement(
    model: ImpactModel, price: float, anchor: float, factor: float, share: float
) -> None:
    model = type(model)(**{**model.__dict__, "permanent_share": share})
    after, new_anchor = model.relax(price, anchor, factor)
    displacement, forgotten = price - anchor, (price - anchor) * (1.0 - factor)
    assert after - new_anchor == pytest.approx(factor * displacement, abs=1e-11)
    assert price - after == pytest.approx((1.0 - share) * forgotten, abs=1e-11)
    assert new_anchor - anchor == pytest.approx(share * forgotten, abs=1e-11)
    if factor == 1.0:
        assert (after, new_anchor) == (price, anchor)


@given(models(MOVERS), st.floats(0.0, 500.0), st.floats(0.0, 500.0))
def test_two_waits_are_one_long_wait(model: ImpactModel, t1: float, t2: float) -> None:
    model = type(model)(**{**model.__dict__, "permanent_share": 0.4, "resilience_half_life": 120.0})
    state = model.relax(90.0, 100.0, model.decay_factor(t1))
    state = model.relax(*state, model.decay_factor(t2))
    assert state == pytest.approx(model.relax(90.0, 100.0, model.decay_factor(t1 + t2)), rel=1e-13)
    assert model.decay_factor(120.0) == 0.5


def test_without_half_life_nothing_decays() -> None:
    assert LINEAR.decay_factor(1e9) == 1.0


@given(models([SQUARE_ROOT, POWER]), prices, anchors, quantities, st.floats(0.2, 5.0))
def test_an_exogenous_return_scales_relative_impact(
    model: ImpactModel, price: float, anchor: float, q: float, growth: float
) -> None:
    before = model.execute(price, anchor, q)
    after = model.execute(price * growth, anchor * growth, q)
    assert after.price_after == pytest.approx(growth * before.price_after, rel=1e-12)
    assert after.average_price == pytest.approx(growth * before.average_price, rel=1e-12)


# -------------------------------------------------------------------------- depth and input


@given(models(MOVERS), prices, st.floats(0.001, 0.3), st.floats(0.01, 100.0), liquidities)
def test_selling_the_depth_moves_the_price_by_the_band(
    model: ImpactModel, price: float, band: float, multiplier: float, m: float
) -> None:
    depth = model.notional_to_move(price, band=band, multiplier=multiplier, liquidity=m)
    fill = model.execute(price, price, -depth / (price * multiplier), m)
    assert depth > 0.0
    assert fill.price_after == pytest.approx(price * (1.0 - band), rel=1e-12)


def test_depth_of_a_price_takers_market_and_of_an_empty_book() -> None:
    assert NoImpact().notional_to_move(100.0, band=0.01, multiplier=1.0) == math.inf
    assert LINEAR.notional_to_move(100.0, band=0.01, multiplier=1.0, liquidity=0.0) == 0.0


@pytest.mark.parametrize("model", EVERY, ids=repr)
@pytest.mark.parametrize("liquidity", [0.0, -1.0, math.nan, math.inf])
def test_no_liquidity_is_refused(model: ImpactModel, liquidity: float) -> None:
    with pytest.raises(ValueError, match="liquidity"):
        model.execute(100.0, 100.0, 1.0, liquidity)
    with pytest.raises(ValueError, match="liquidity"):
        model.quantity_to_reach(100.0, 100.0, 90.0, liquidity)
    with pytest.raises(ValueError, match="liquidity"):
        model.slope(100.0, 100.0, liquidity)


@pytest.mark.parametrize("model", EVERY, ids=repr)
def test_an_empty_order_does_nothing_and_an_endless_one_is_refused(model: ImpactModel) -> None:
    assert model.execute(95.0, 100.0, 0.0, floor=99.0) == (95.0, 95.0, False)
    assert model.quantity_to_reach(95.0, 100.0, 95.0) == 0.0
    for quantity in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="quantity"):
            model.execute(95.0, 100.0, quantity)
    with pytest.raises(ValueError, match="target_price"):
        model.quantity_to_reach(95.0, 100.0, -1.0)


@pytest.mark.parametrize(
    ("model", "parameters", "name"),
    [
        (LinearImpact, {"coefficient": 0.0}, "coefficient"),
        (LinearImpact, {"coefficient": 1.0, "permanent_share": 1.5}, "permanent_share"),
        (LinearImpact, {"coefficient": 1.0, "resilience_half_life": 0.0}, "resilience_half_life"),
        (SquareRootImpact, {"y": 1.0, "sigma": 0.0, "volume": 1.0}, "sigma"),
        (SquareRootImpact, {"y": 1.0, "sigma": 0.1, "volume": math.nan}, "volume"),
        (ExponentialImpact, {"base_price": -1.0, "depth": 1.0}, "base_price"),
        (ExponentialImpact, {"base_price": 1.0, "depth": 0.0}, "depth"),
        (ExponentialImpact, {"base_price": 1.0, "depth": 1.0, "alpha": 2.0}, "alpha"),
        (ExponentialImpact, {"base_price": 1.0, "depth": 1.0, "fill": "mid"}, "fill"),
        (PowerImpact, {"sigma": 0.1, "volume": 1.0, "outstanding": 0.0}, "outstanding"),
        (PowerImpact, {"sigma": 0.1, "volume": 1.0, "outstanding": 1.0, "eta": -1.0}, "eta"),
    ],
)
def test_parameters_out_of_range_are_refused(
    model: type[ImpactModel], parameters: dict[str, float], name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        model(**parameters)


# ------------------------------------------------------------------------------- builders

DECAY = {"resilience_half_life": 60.0, "permanent_share": 0.25}
CONFIGS: dict[str, dict[str, Any]] = {
    "none": {},
    "illiquid": {},
    "linear": {"coefficient": None, "depth": 1e6, "band": 0.02},
    "square_root": {"y": 0.7, "sigma": None, "adv": 1e9},
    "exponential": {"floor": 10.0, "depth": 5e4, "fill": "alpha", "alpha": 0.4},
    "power": {
        "gamma": 0.3,
        "eta": 0.1,
        "sigma": 0.05,
        "adv": 1e9,
        "outstanding": 1e8,
        "beta": 0.5,
        "outstanding_exponent": 0.2,
        "duration": 600.0,
    },
}
BUILT = {
    "none": NoImpact(**DECAY),
    "illiquid": IlliquidImpact(**DECAY),
    "linear": LinearImpact(coefficient=0.02 * 100.0**2 * 0.01 / 1e6, **DECAY),
    "square_root": SquareRootImpact(y=0.7, sigma=0.03, volume=1e9, **DECAY),
    "exponential": ExponentialImpact(base_price=10.0, depth=5e4, fill="alpha", alpha=0.4, **DECAY),
    "power": PowerImpact(
        sigma=0.05,
        volume=1e9,
        outstanding=1e8,
        gamma=0.3,
        eta=0.1,
        beta=0.5,
        outstanding_exponent=0.2,
        duration=600.0,
        **DECAY,
    ),
}


@pytest.mark.parametrize("kind", sorted(IMPACTS))
def test_every_registered_kind_is_built_from_its_configuration(kind: str) -> None:
    config = TypeAdapter(Impact).validate_python({"kind": kind, **CONFIGS[kind], **DECAY})
    model = build_impact(config, initial_price=100.0, daily_volatility=0.03, multiplier=0.01)
    assert model == BUILT[kind]


@pytest.mark.parametrize("multiplier", [0.001, 1.0, 10.0])
def test_configured_linear_depth_is_the_reported_depth(multiplier: float) -> None:
    config = SimpleNamespace(kind="linear", coefficient=None, depth=3e7, band=0.01, **DECAY)
    model = build_impact(config, initial_price=250.0, daily_volatility=0.0, multiplier=multiplier)
    depth = model.notional_to_move(250.0, band=0.01, multiplier=multiplier)
    assert depth == pytest.approx(3e7, rel=1e-12)


def test_square_root_of_notional_over_volume_does_not_depend_on_the_contract() -> None:
    for multiplier in (0.001, 1.0, 50.0):
        config = SimpleNamespace(kind="square_root", y=0.9, sigma=0.02, adv=4e9, **DECAY)
        model = build_impact(
            config, initial_price=100.0, daily_volatility=0.5, multiplier=multiplier
        )
        quantity = -4e7 / (100.0 * multiplier)
        after = model.execute(100.0, 100.0, quantity).price_after
        assert 1.0 - after / 100.0 == pytest.approx(0.9 * 0.02 * 0.1, rel=1e-12)


def test_builders_refuse_what_makes_no_model() -> None:
    both = SimpleNamespace(kind="linear", coefficient=1.0, depth=1.0, band=0.01, **DECAY)
    with pytest.raises(ValueError, match="exactly one"):
        build_impact(both, initial_price=1.0, daily_volatility=0.1, multiplier=1.0)
    high = SimpleNamespace(
        kind="exponential", **{**CONFIGS["exponential"], "floor": 100.0}, **DECAY
    )
    with pytest.raises(ValueError, match="floor"):
        build_impact(high, initial_price=100.0, daily_volatility=0.1, multiplier=1.0)
    still = SimpleNamespace(kind="square_root", **CONFIGS["square_root"], **DECAY)
    with pytest.raises(ValueError, match="sigma"):
        build_impact(still, initial_price=100.0, daily_volatility=0.0, multiplier=1.0)
    with pytest.raises(KeyError, match="known: exponential"):
        build_impact(
            SimpleNamespace(kind="cubic"), initial_price=1.0, daily_volatility=0.1, multiplier=1.0
        )


def test_an_illiquid_market_fills_nothing_and_leads_nowhere() -> None:
    model = IlliquidImpact()
    with pytest.raises(ValueError, match="fills no orders"):
        model.execute(100.0, 100.0, -1.0)
    assert math.isnan(model.quantity_to_reach(100.0, 100.0, 99.0))
    assert model.slope(100.0, 100.0) == math.inf
