"""Random small worlds with loans, beside a venue of perpetuals on the same assets."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.engine.random_worlds import PRICES, Dice, impact, shock
from tests.engine.random_worlds import venue as perpetual_venue

LENDERS = ("pool", "vaults")


def keepers(dice: Dice) -> dict[str, Any]:
    return {"capital": dice.pick(None, None, 0, 500, 20_000), "gas": dice.pick(0, 0, 5, 200)}


def fixed_spread(dice: Dice) -> dict[str, Any]:
    return {
        "kind": "fixed_spread",
        "bonus": dice.pick(0, 0.05, 0.2),
        "close_factor": dice.pick(0.2, 0.5, 1),
        "full_below_health": dice.pick(0, 0.95),
        "full_if_below": dice.pick(0, 300),
        "least_left": dice.pick(0, 150),
        "protocol_share": dice.pick(0, 0.1, 1),
        "latency": dice.pick(0, 0, 2),
        "keepers": {**keepers(dice), "flash_loan": dice.often()},
    }


def auction(dice: Dice) -> dict[str, Any]:
    return {
        "kind": "auction",
        "buffer": dice.pick(1, 1.1, 1.5),
        "cut": dice.pick(0.9, 0.97),
        "step": dice.pick(1, 2),
        "tail": dice.pick(4, 1000),
        "cusp": dice.pick(0, 0.5),
        "penalty": dice.pick(0, 0.13),
        "tip": dice.pick(0, 3),
        "keepers": {
            **keepers(dice),
            "active": dice.pick(0, 0.3, 1, 1),
            "margin": dice.pick(0, 0.05),
        },
    }


def bands(dice: Dice) -> dict[str, Any]:
    return {
        "kind": "bands",
        "amplification": dice.pick(20, 100),
        "bands": dice.pick(1, 4, 10),
        "fee": dice.pick(0, 0.01),
    }


def absorb(dice: Dice) -> dict[str, Any]:
    return {
        "kind": "absorb",
        "factor": dice.pick(0.8, 0.95),
        "storefront": dice.pick(0, 0.5, 1),
        "reserves": dice.pick(0, 1000, 1e6),
        "keepers": keepers(dice),
    }


RULES = {
    "fixed_spread": fixed_spread,
    "auction": auction,
    "bands": bands,
    "absorb": absorb,
}


def lender(dice: Dice, kind: str, bases: list[str]) -> dict[str, Any]:
    # One lower than the loan-to-value at the bands' edge is refused.
    threshold = dice.pick(0.92, 0.95) if kind == "bands" else dice.pick(0.7, 0.83, 0.95)
    layers = [
        {"kind": "insurance_fund", "size": dice.pick(0, 50, 5000)},
        {"kind": "socialise", "basis": dice.pick("equity", "notional")},
    ]
    found = {
        "margin": {
            "kind": dice.pick("cross", "isolated"),
            "loans": {
                base: {"loan_to_value": threshold - 0.03, "liquidation_threshold": threshold}
                for base in bases
            },
        },
        "mark": dice.pick({"kind": "last"}, {"kind": "ema", "half_life": 3}),
        "liquidation": RULES[kind](dice),
        "waterfall": [*(layer for layer in layers if dice.often()), {"kind": "clearer"}],
    }
    rule = found["liquidation"]
    # Nor is one at which the collateral would not pay for the debt and what a keeper gets.
    if kind == "fixed_spread":
        rule["bonus"] = min(rule["bonus"], 0.9 * (1.0 / threshold - 1.0))
    elif kind == "absorb":
        rule["factor"] = max(rule["factor"], threshold)
    return found


def loans(dice: Dice, name: str, markets: list[dict[str, Any]]) -> list[Any]:
    """Return accounts with debts of 0 to 110 % of their collateral."""
    found = []
    for number in range(dice.whole(1, 10)):
        chosen = [m for m in markets if dice.often()] or markets[:1]
        positions, value = [], 0.0
        for market in chosen:
            money = dice.whole(50, 5000)
            size = money / (PRICES[market["base"]] * market["multiplier"])
            entry = dice.pick(0, 0, 0.5 * PRICES[market["base"]])
            positions.append((f"{name}/{market['symbol']}", size, entry))
            value += money - size * entry * market["multiplier"]
        owed = value * dice.pick(0, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 1.1)
        found.append((f"{name}{number}", f"o{number}", name, {"USDT": -owed}, positions))
    return found


@st.composite
def lending_worlds(draw: Any, kinds: tuple[str, ...] = tuple(RULES)) -> dict[str, Any]:
    """Return a scenario with one or two lending venues, as plain values."""
    dice = Dice(draw)
    bases = list(PRICES)[: dice.whole(1, 2)]
    names = LENDERS[: dice.whole(1, 2)]
    world: dict[str, Any] = {
        "schema_version": 1,
        "name": "random-loans",
        "seed": 3,
        "clock": {"tick": 1, "horizon": dice.pick(15, 40)},
        "record": {"every": dice.pick(1, 4)},
        "engine": {"max_generations": 5000},
        "assets": {"USDT": {"price": 1.0}}
        | {base: {"price": PRICES[base], "volatility": 0.8} for base in bases},
        "venues": {name: lender(dice, dice.pick(*kinds), bases) for name in names},
        "markets": [
            {
                "venue": name,
                "symbol": f"{base}-USDT",
                "kind": "collateral",
                "base": base,
                "quote": "USDT",
                "multiplier": dice.pick(1, 1, 0.1),
                "impact": impact(dice, PRICES[base]),
            }
            for name in names
            for base in bases
        ],
    }
    groups: list[Any] = [
        {
            "accounts": [
                account
                for name in names
                for account in loans(
                    dice, name, [m for m in world["markets"] if m["venue"] == name]
                )
            ],
            "name": "book",
        },
        {
            "cohort": "drawn",
            "count": dice.whole(0, 8),
            "venues": dict.fromkeys(names, 1.0),
            "equity": {"dist": "pareto", "alpha": 1.5, "min": 50, "max": 5000},
            "leverage": {"dist": "uniform", "min": 1, "max": 6},
        },
    ]
    if dice.often():
        world["venues"]["perps"] = perpetual_venue(dice)
        world["markets"].append(
            {
                "venue": "perps",
                "symbol": f"{bases[0]}-PERP",
                "kind": "perpetual",
                "base": bases[0],
                "quote": "USDT",
                "impact": impact(dice, PRICES[bases[0]]),
            }
        )
        groups.append({**groups[1], "cohort": "perps", "venues": {"perps": 1}})
        if dice.often():
            world["coupling"] = [{"kind": "arbitrage", "asset": bases[0], "kappa": 0.5}]
    world["traders"] = groups
    world["shocks"] = [shock(dice, world, noise=True) for _ in range(dice.whole(1, 3))]
    return world
