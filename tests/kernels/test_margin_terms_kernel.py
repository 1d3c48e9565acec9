"""Margin by size and collateral at own prices in the kernels: twins, radius and sweeps."""

from __future__ import annotations

import numpy as np
import pytest

from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin, account_margin_numpy
from sim.kernels.radius import RadiusInputs, account_radius, account_radius_numpy
from sim.kernels.size import KEPT
from sim.kernels.sweep import doubtful_loop, doubtful_numpy, holds, pack

KEEP = np.array([[1.0, 0.8], [1.0, 0.95]])
OWN = 120.0
"""Value of the coin by the second clearer's own book; the first goes by the coin's value, 100."""


def random_accounts(generator, count, sizes=True):
    """Accounts of two clearers in three markets, with 0 to 3 positions and two balances."""
    start = np.concatenate([[0], np.cumsum(generator.integers(0, 4, count))]).astype(np.int64)
    positions = int(start[-1])
    terms = {
        "size_rate": np.array([[0.01, 0.0, 0.002], [0.0, 0.03, 0.0]]),
        "size_root": np.array([[0.0, 0.2, 0.03], [0.1, 0.05, 0.0]]),
    }
    return MarginInputs(
        position_start=start,
        market=generator.integers(0, 3, positions).astype(np.int16),
        quantity=np.round(generator.normal(0, 5, positions), 1),
        entry_price=generator.uniform(50, 150, positions),
        clearer=generator.integers(0, 2, count).astype(np.int16),
        balance=np.stack(
            [generator.normal(500, 300, count), generator.normal(6, 4, count)], axis=1
        ),
        weight_positive=np.array([[1.0, 100.0], [1.0, OWN]]) * KEEP,
        asset_price=np.array([1.0, 100.0]),
        mark_price=np.array([100.0, 90.0, 110.0]),
        multiplier=np.array([1.0, 0.1, 2.0]),
        quote_price=np.ones(3),
        tier_floor=np.array([[[0.0, 1e3, 1e4]] * 3, [[0.0, np.inf, np.inf]] * 3]),
        tier_rate=np.array([[[0.01, 0.02, 0.1]] * 3, [[0.005] * 3] * 3]),
        tier_deduction=np.array([[[0.0, 10.0, 810.0]] * 3, [[0.0] * 3] * 3]),
        own_price=np.array([OWN]),
        **(terms if sizes else {}),
    )


def test_margin_by_size_by_hand():
    inputs = random_accounts(np.random.default_rng(1), 2)._replace(
        position_start=np.array([0, 2, 3]),
        market=np.array([0, 2, 1], dtype=np.int16),
        quantity=np.array([4.0, -2.0, 30.0]),
        entry_price=np.array([100.0, 110.0, 90.0]),
        clearer=np.array([0, 1], dtype=np.int16),
        balance=np.zeros((2, 2)),
    )
    # 0: 400 at 0.01 + 0.01 x 4; 4 coins at 110 in the first tier at 0.008 + 0.03 x 2 + 0.002 x 4.
    # 1: 3 coins at 90 in one tier, 0.004 + 0.05 sqrt(3) + 0.03 x 3.
    needed = [400 * 0.05 + 440 * (KEPT * 0.01 + 0.06 + 0.008), 270 * (0.094 + 0.05 * 3**0.5)]
    for kernel in (account_margin, account_margin_numpy):
        out = MarginOutputs.empty(2)
        kernel(inputs, np.arange(2), np.ones(2), out)
        assert out.maintenance.tolist() == pytest.approx(needed)


@pytest.mark.parametrize("sizes", [True, False])
def test_the_twins_agree_to_the_last_bit(sizes):
    inputs = random_accounts(np.random.default_rng(5), 2000, sizes)
    outs = MarginOutputs.empty(2000), MarginOutputs.empty(2000)
    first = account_margin(inputs, np.arange(2000), np.ones(2000), outs[0])
    second = account_margin_numpy(inputs, np.arange(2000), np.ones(2000), outs[1])
    assert first.tolist() == second.tolist()
    for one, other in zip(*outs, strict=True):
        assert one.tobytes() == other.tobytes()


def units(inputs, coin=0.1, own=0.1):
    """Return units of distance; the value of the coin and that by the own book move apart."""
    held = np.array([[0.0, coin], [0.0, own]])
    return RadiusInputs(
        inputs.mark_price * 1e-3, np.zeros(3), np.array([0.0, coin]), np.empty(0),
        np.zeros(len(inputs.clearer), np.int16), np.empty(0), held,
    )  # fmt: skip


def moved(inputs, marks, coin, own):
    weight = np.array([[1.0, coin], [1.0, own]]) * KEEP
    return inputs._replace(
        mark_price=marks, asset_price=np.array([1.0, coin]), weight_positive=weight,
        own_price=np.array([own]),
    )  # fmt: skip


def test_nothing_happens_to_an_account_within_its_radius():
    generator = np.random.default_rng(7)
    count = 3000
    inputs = random_accounts(generator, count)
    rows, one, scale = np.arange(count), np.ones(count), units(inputs)
    out = MarginOutputs.empty(count)
    account_margin(inputs, rows, one, out)
    radius = account_radius(inputs, scale, rows, one, out)
    np.testing.assert_allclose(
        radius, account_radius_numpy(inputs, scale, rows, one, out), rtol=1e-12
    )
    healthy = (radius > 0.0) & (out.notional > 0.0)
    assert healthy.sum() > 400
    close = np.zeros((2, count))
    for number in range(600):
        d = generator.uniform(1.0, 900.0)
        step = generator.choice([-1.0, 1.0], 5) * d
        step[:3] *= number % 3 != 0  # at times collateral alone moves
        marks = np.maximum(inputs.mark_price + step[:3] * scale.market_unit, 1e-9)
        coin, own = (max(v + u, 1e-9) for v, u in zip((100.0, OWN), 0.1 * step[3:], strict=True))
        new = MarginOutputs.empty(count)
        account_margin(moved(inputs, marks, coin, own), rows, one, new)
        happens = new.equity < new.maintenance
        assert not (happens & healthy & (radius > d)).any()
        struck = healthy & happens
        for v in (0, 1):
            mine = struck & (inputs.clearer == v)
            close[v, mine] = np.maximum(close[v, mine], radius[mine] / d)
    # The bound is not idle at either clearer.
    assert (close.max(axis=1) > 0.6).all()


def test_what_counts_at_par_has_no_radius_of_its_own():
    inputs = random_accounts(np.random.default_rng(2), 1)._replace(
        position_start=np.array([0, 0]), balance=np.array([[-50.0, 1.0]]),
        clearer=np.array([1], dtype=np.int16), market=np.empty(0, np.int16),
        quantity=np.empty(0), entry_price=np.empty(0),
    )  # fmt: skip
    out = MarginOutputs.empty(1)
    account_margin(inputs, np.arange(1), np.ones(1), out)
    assert out.equity.item() == pytest.approx(-50.0 + 0.95 * OWN)
    for twin in (account_radius, account_radius_numpy):
        wide = twin(inputs, units(inputs, own=0.0), np.arange(1), np.ones(1), out)
        assert wide.item() == np.inf
        near = twin(inputs, units(inputs, own=0.5), np.arange(1), np.ones(1), out)
        assert near.item() == pytest.approx((0.95 * OWN - 50.0) / 0.5, rel=1e-6)


def test_a_sweep_leaves_out_nobody_who_is_broken_and_sees_own_prices_move():
    generator = np.random.default_rng(11)
    count = 2000
    inputs = random_accounts(generator, count)
    rows, one, scale = np.arange(count), np.ones(count), units(inputs)
    out = MarginOutputs.empty(count)
    account_margin(inputs, rows, one, out)
    packed = pack(inputs, scale, one, out)
    for share in (0.5, 0.8, 0.95, 1.0, 1.05, 1.3, 1.9):
        then = inputs._replace(mark_price=inputs.mark_price * share)
        assert holds(packed, then)
        found = np.empty(count, dtype=np.int64)
        found = found[: doubtful_loop(packed, then, found)]
        assert found.tolist() == doubtful_numpy(packed, then).tolist()
        new = MarginOutputs.empty(count)
        broken = account_margin(then, rows, one, new)
        assert np.isin(broken[new.notional[broken] > 0.0], found).all()
        assert len(found) < count
    assert not holds(packed, moved(inputs, inputs.mark_price, 100.0, OWN * 0.999))
