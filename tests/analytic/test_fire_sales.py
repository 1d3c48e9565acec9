"""Fire sales of leveraged banks and funds: Cont-Schaanning's two banks, leverage targeting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import sim
from tests.analytic.bench import BookWriter, fall, falls_by_generation, run

FLOOR = 0.5
DELTA = (1.0 - FLOOR) * 0.4 * (50.0 / 0.02) * np.sqrt(20.0)
SECURITIES, LOANS, CAPITAL = (90.0, 70.0), (10.0, 20.0), (4.0, 4.5)


@dataclass
class Round:
    """One round of the model on paper; the state is that after it."""

    leverage: np.ndarray
    share: np.ndarray
    sold: float
    securities: np.ndarray
    capital: np.ndarray
    price: float


def on_paper(
    loss: float, limit: float = 33.3, alpha: float = 0.5, depth: float = 1.0
) -> list[Round]:
    """Walk the model of Cont and Schaanning with capital that may fall below 0.

    A bank with capital <= 0 has no finite leverage and sells everything, as one whose capital is
    cut off at 0 does; only the loss that is counted afterwards differs.
    """
    value = np.array(SECURITIES)
    loans = np.array([LOANS[0] * (1.0 - loss), LOANS[1]])
    capital = np.array([CAPITAL[0] - LOANS[0] * loss, CAPITAL[1]])
    price, rounds = 1.0, []
    while True:
        with np.errstate(divide="ignore"):
            leverage = np.where(capital > 0.0, (value + loans) / capital, np.inf)
        over = (leverage > limit) & (value > 0.0)
        if not over.any():
            return rounds
        wanted = (value + loans - 0.95 * limit * np.maximum(capital, 0.0)) / np.maximum(value, 1e-9)
        share = np.where(over, np.minimum(wanted, 1.0), 0.0)
        sold = float(share @ value)
        psi = (1.0 - FLOOR / price) * (1.0 - np.exp(-sold / (depth * DELTA)))
        capital = capital - (1.0 - (1.0 - alpha) * share) * value * psi
        value = (1.0 - share) * value * (1.0 - psi)
        price *= 1.0 - psi
        rounds.append(Round(leverage, share, sold, value, capital, price))


def banks(
    folder: Path, loss: float, limit: float = 33.3, alpha: float = 0.5, depth: float = 1.0
) -> sim.Result:
    """Run `two-banks.yaml` with each bank in a book of its own, so that both have a row."""
    sources = []
    for k, name in enumerate("AB"):
        holdings = [
            ("regulator", "SEC", SECURITIES[k]),
            ("regulator", f"LOANS-{name}", LOANS[k]),
        ]
        book = BookWriter().add(name, "regulator", np.array([CAPITAL[k]]), holdings)
        paths = book.write(folder / name)
        sources.append(
            {
                "book": {key.rsplit(".", 1)[1]: path for key, path in paths.items()},
                "name": name.lower(),
            }
        )
    values = {
        "traders": sources,
        "shocks.0.return": -loss,
        "venues.regulator.margin.maintenance_rate": 1.0 / limit,
        "markets.0.impact.alpha": alpha,
        "markets.0.impact.depth": depth * DELTA,
    }
    return run("two-banks", values)


def capital(result: sim.Result) -> np.ndarray:
    last = result.cohorts[result.cohorts["tick"] == result.cohorts["tick"].max()]
    return last.set_index("cohort")["equity"].loc[["a", "b"]].to_numpy()


def sellers(result: sim.Result) -> set[str]:
    return set(result.liquidations["account_id"].str[:1])


TABLE = [  # leverage A, share A, q, securities A and B, capital A and B, price
    (49.0, 0.385889, 34.730000, 54.844097, 69.460589, 1.440284, 3.960589, 0.992294),
    (43.633117, 0.315088, 17.280700, 37.419931, 69.195299, 1.263819, 3.695299, 0.988504),
    (35.938649, 0.145351, 5.439032, 31.942503, 69.112223, 1.222157, 3.612223, 0.987317),
]


def test_the_model_on_paper_has_the_printed_table() -> None:
    assert pytest.approx(2236.067977, abs=5e-7) == DELTA
    rounds = on_paper(0.2)
    assert len(rounds) == 3
    for found, row in zip(rounds, TABLE, strict=True):
        flat = (found.leverage[0], found.share[0], found.sold, *found.securities, *found.capital)
        assert (*flat, found.price) == pytest.approx(row, abs=1e-6)


def test_two_banks_round_by_round(tmp_path: Path) -> None:
    result = banks(tmp_path, 0.2)
    prices = 1.0 - falls_by_generation(result, "regulator/SEC")
    assert prices == pytest.approx([1.0, *(row[-1] for row in TABLE)], abs=1e-6)
    sales = result.liquidations.sort_values("generation")
    assert list(sales["generation"]) == [0, 1, 2]
    assert sellers(result) == {"A"}
    left = SECURITIES[0]
    for sale, row, before, after in zip(
        sales.itertuples(), TABLE, prices[:-1], prices[1:], strict=True
    ):
        assert sale.mark_price == pytest.approx(before, rel=1e-12)
        assert sale.notional == pytest.approx(row[2], abs=1e-6)  # q
        assert -sale.quantity / left == pytest.approx(row[1], abs=1e-6)  # Gamma
        # The bankruptcy price lies one over leverage below the mark.
        assert 1.0 / (1.0 - sale.bankruptcy_price / before) == pytest.approx(row[0], abs=1e-6)
        assert sale.close_out_price == pytest.approx((before + after) / 2.0, rel=1e-12)
        left += sale.quantity
        assert left * after == pytest.approx(row[3], abs=1e-6)
        assert SECURITIES[1] * after == pytest.approx(row[4], abs=1e-6)
    assert capital(result) == pytest.approx(TABLE[-1][5:7], abs=1e-6)
    # The rounded figures of the published unit tests.
    assert prices[1] == pytest.approx(0.99229, abs=5e-6)
    assert prices[2] == pytest.approx(0.989, abs=5e-4)


def test_two_banks_without_rounding_is_the_paper_model(tmp_path: Path) -> None:
    for k, (loss, alpha, depth) in enumerate([(0.15, 0.5, 1.0), (0.25, 0.3, 0.5), (0.3, 1.0, 0.5)]):
        result = banks(tmp_path / str(k), loss, 33.0, alpha, depth)
        rounds = on_paper(loss, 33.0, alpha, depth)
        found = 1.0 - falls_by_generation(result, "regulator/SEC")[1:]
        assert found == pytest.approx([r.price for r in rounds], rel=1e-12)
        assert capital(result) == pytest.approx(rounds[-1].capital, abs=1e-10)


@pytest.mark.parametrize(
    ("limit", "tips"), [(33.0, 0.1), (33.3, 0.10278637770897832)]
)  # (100 - 10 e) / (4 - 10 e) = limit
def test_bank_sells_beyond_the_leverage_limit(tmp_path: Path, limit: float, tips: float) -> None:
    assert (100.0 - 10.0 * tips) / (4.0 - 10.0 * tips) == pytest.approx(limit, rel=1e-9)
    assert sellers(banks(tmp_path / "below", tips - 1e-6, limit)) == set()
    assert sellers(banks(tmp_path / "above", tips + 1e-6, limit)) == {"A"}


@pytest.mark.parametrize(("depth", "tips"), [(0.5, 0.127150), (0.4, 0.1), (0.3, 0.1)])
def test_contagion_to_the_other_bank(tmp_path: Path, depth: float, tips: float) -> None:
    assert "B" not in sellers(banks(tmp_path / "below", tips - 2e-6, 33.0, depth=depth))
    assert "B" in sellers(banks(tmp_path / "above", tips + 2e-6, 33.0, depth=depth))


def test_deep_market_never_spreads_the_fire_sale(tmp_path: Path) -> None:
    for k, loss in enumerate((0.1001, 0.2, 0.3, 0.4, 0.7, 0.999)):
        assert sellers(banks(tmp_path / str(k), loss, 33.0)) == {"A"}


def test_losses_of_the_bystander(tmp_path: Path) -> None:
    """Bank B's loss: small in a deep market, everything in a thin one, not monotone between."""

    def loss_of_b(name: str, *arguments: float) -> float:
        return float(CAPITAL[1] - capital(banks(tmp_path / name, *arguments))[1])

    assert loss_of_b("deep", 0.1001, 33.0, 0.5, 1.0) == pytest.approx(0.077868, abs=1e-6)
    quarter = loss_of_b("quarter", 0.25, 33.0, 0.5, 0.5)
    third = loss_of_b("third", 0.30, 33.0, 0.5, 0.5)
    assert (quarter, third) == pytest.approx((3.613842, 3.568170), abs=1e-6)
    assert third < quarter
    # A dumps everything in one round, alpha = 1: 70 (1 - 0.5) (1 - exp(-90 / delta)).
    dumped = loss_of_b("dump", 0.45, 33.0, 1.0, 1.0)
    assert dumped == pytest.approx(70.0 * 0.5 * -np.expm1(-90.0 / DELTA), rel=1e-12)
    assert dumped == pytest.approx(1.380749, abs=1e-6)


def test_thin_market_wipes_out_both_banks(tmp_path: Path) -> None:
    """Here capital falls below 0; the model cuts it off there, the ledger keeps the debt."""
    result = banks(tmp_path, 0.1001, 33.0, 0.5, 0.3)
    assert 1.0 - fall(result, "regulator/SEC") == pytest.approx(0.897753, abs=1e-6)
    assert (capital(result) < 0.0).all()
    sold = -result.liquidations.groupby("account_id")["quantity"].sum().to_numpy()
    assert sold == pytest.approx(SECURITIES, rel=1e-12)


# ---------------------------------------------------------------------------- leverage targeting


def exact_fall(r: float, impact: float, leverage: float) -> float:
    """Root of (1 - r - l q)(1 - q) = L (1/L - r - l (q - q**2 / 2)), and D = r + l q."""
    a = impact * (1.0 - leverage / 2.0)
    b = r - 1.0 - impact + leverage * impact
    c = r * (leverage - 1.0)
    return r + impact * min(q for q in np.roots([a, b, c]).real if q > 0.0)


@pytest.mark.parametrize("r", [0.01, 1e-3, 1e-4, 1e-5])
def test_leverage_targeting_amplifies_by_its_closed_form(r: float) -> None:
    result = run("leverage-targeting", {"shocks.0.return": -r})
    found = fall(result)
    assert found == pytest.approx(exact_fall(r, 0.15, 5.0), abs=1e-12)
    first_order = r / (1.0 - 0.15 * 1.0 * (5.0 - 1.0))
    assert first_order == pytest.approx(2.5 * r, rel=1e-12)
    assert found == pytest.approx(first_order, rel=2.0 * r)
    assert result.summary["accounts_liquidated"] == 0
    causes = result.price_causes.groupby("cause")["price_move"].sum()
    assert set(causes.index) == {"exogenous", "trade:deleverage"}


def test_first_sale_is_r_a_times_leverage_minus_one() -> None:
    r = 0.01
    result = run("leverage-targeting", {"shocks.0.return": -r})
    first = result.price_causes[
        (result.price_causes["cause"] == "trade:deleverage") & (result.price_causes["tick"] == 0)
    ]
    moved = (1.0 - r) * -np.expm1(first["price_move"].iloc[0])
    sold = moved / 0.15 * (1.0 - r)  # contracts at the price they were sized at
    assert sold == pytest.approx(r * 1.0 * (5.0 - 1.0), rel=1e-12)


def test_leverage_targeting_tips_where_the_amplification_diverges() -> None:
    """lambda A (L - 1) = 1 at lambda = 0.25: beyond it even the smallest fall ends far away.

    The second root of the quadratic takes over, 2 (lambda (L - 1) - 1) / (lambda (L - 2)) of the
    holding for r -> 0.
    """
    below = run("leverage-targeting", {"markets.0.impact.coefficient": 0.2,
                                       "shocks.0.return": -1e-4})  # fmt: skip
    assert fall(below) == pytest.approx(1e-4 / (1.0 - 0.2 * 4.0), rel=5e-3)
    above = run(
        "leverage-targeting",
        {"markets.0.impact.coefficient": 0.3, "shocks.0.return": -1e-4, "clock.horizon": 600.0},
    )
    assert fall(above) == pytest.approx(exact_fall(1e-4, 0.3, 5.0), abs=1e-10)
    assert fall(above) == pytest.approx(0.3 * 2.0 * (0.3 * 4.0 - 1.0) / (0.3 * 3.0), rel=5e-2)
