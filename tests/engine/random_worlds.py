"""Random small worlds for properties: anything the schema allows, a dozen accounts, 12 ticks."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import sim
from tests.books import write_book

PRICES = {"BTC": 100.0, "ETH": 10.0, "SOL": 2.0}
VENUES = ("alpha", "beta", "gamma")


class Dice:
    """Draws for a composite strategy, in short."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def whole(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def often(self) -> bool:
        return bool(self.pick(True, False))

    def seldom(self) -> bool:
        return bool(self.pick(False, False, False, True))


def tiers(dice: Dice) -> list[dict[str, Any]]:
    floors = [0, 500, 5000][: dice.whole(1, 3)]
    rates = sorted(dice.pick(0.0, 0.005, 0.02, 0.05, 0.1) for _ in floors)
    return [{"floor": f, "rate": r} for f, r in zip(floors, rates, strict=True)]


def liquidation(dice: Dice) -> dict[str, Any]:
    rule = {
        "kind": dice.pick("full", "partial", "to_target"),
        "latency": dice.pick(0, 0, 1, 3),
        "fee_bps": dice.pick(0, 50, 500),
        "fee_to": dice.pick("insurance_fund", "venue"),
    }
    if rule["kind"] == "partial":
        rule |= {"slice": dice.pick(0.2, 0.3, 1), "target_ratio": dice.pick(1, 1.5)}
    if rule["kind"] == "to_target":
        rule |= {"target_ratio": dice.pick(1.03, 1.5, 3)}
    return rule


def simple_mark(dice: Dice, method: str) -> dict[str, Any]:
    return dice.pick(
        {"kind": "last"},
        {"kind": "last"},
        {"kind": "index", "method": method},
        {"kind": "ema", "half_life": dice.pick(1, 5), "of": dice.pick("last", "index")},
        {"kind": "twap", "window": dice.pick(1, 2.5, 5), "of": dice.pick("last", "index")},
    )


def ended(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a waterfall whose last layer can bear the rest."""
    last = {"adl", "socialise", "tear_up", "clearer"}
    return layers if not layers or layers[-1]["kind"] in last else [*layers, {"kind": "clearer"}]


def venue(dice: Dice) -> dict[str, Any]:
    margin: dict[str, Any] = {"kind": dice.pick("cross", "isolated"), "tiers": tiers(dice)}
    if dice.seldom():
        margin["call"] = {"level": dice.pick(1.2, 2), "grace": dice.pick(0, 2)}
        if dice.often():
            margin["call"]["target"] = 3
    layers = [
        {"kind": "insurance_fund", "size": dice.pick(0, 10, 1000)},
        {"kind": "adl"},
        {"kind": "socialise", "basis": dice.pick("equity", "profit", "notional")},
    ]
    method = dice.pick("mean", "median")  # a venue has one index
    mark = simple_mark(dice, method)
    if dice.seldom():
        parts = [simple_mark(dice, method) for _ in range(dice.pick(2, 3))]
        mark = {"kind": "median_of", "of": parts}
    return {
        "margin": margin,
        "mark": mark,
        "liquidation": liquidation(dice),
        "waterfall": ended([layer for layer in layers if dice.often()]),
    }


def impact(dice: Dice, unit: float) -> dict[str, Any]:
    """Return an impact; `unit` is the money in one contract."""
    kind = dice.pick("none", "linear", "linear", "square_root", "exponential", "power", "illiquid")
    rule: dict[str, Any] = {"kind": kind}
    if kind == "linear":
        rule |= {"depth": dice.pick(1e3, 1e4, 1e6)}
    if kind in ("square_root", "power"):
        rule |= {"adv": dice.pick(1e4, 1e6), "sigma": 0.05}
    if kind == "power":
        rule |= {"outstanding": 1e5}
    if kind == "exponential":
        rule |= {"floor": dice.pick(0, 0.5), "depth": dice.pick(3e4, 3e5) / unit}
        rule |= {"fill": dice.pick("average", "alpha")}
    if kind not in ("none", "illiquid") and dice.often():
        rule |= {"resilience_half_life": dice.pick(1, 10), "permanent_share": dice.pick(0, 0.5)}
    return rule


def markets(dice: Dice, names: list[str], bases: list[str], coins: list[str]) -> list[Any]:
    found = []
    for name in names:
        for base in bases:
            if found and dice.seldom():
                continue
            size = dice.pick(1, 1, 10, 0.01)
            found.append(
                {
                    "venue": name,
                    "symbol": f"{base}-PERP",
                    "kind": dice.pick("perpetual", "future"),
                    "base": base,
                    "quote": dice.pick(*coins),
                    "multiplier": size,
                    "impact": impact(dice, PRICES[base] * size),
                }
            )
        if dice.seldom():
            base = bases[0]
            spot = {"symbol": f"{base}-SPOT", "kind": "spot", "base": base, "quote": "USDT"}
            found.append({"venue": name, **spot, "impact": impact(dice, PRICES[base])})
    return found


def accounts(dice: Dice, world: dict[str, Any], most: int) -> list[Any]:
    """Return accounts of up to 30 x leverage, a few of them insolvent from the start."""
    assets, names = world["assets"], list(world["venues"])
    perps = [m for m in world["markets"] if m["kind"] != "spot"]
    found = []
    for number in range(dice.whole(0, most)):
        isolated = dice.seldom()
        chosen = [dice.pick(*perps)] if isolated else [m for m in perps if dice.often()]
        positions, gross = [], 0.0
        for market in chosen:
            money = dice.whole(10, 3000) * dice.pick(1, 1, -1)
            price = assets[market["base"]]["price"] / assets[market["quote"]]["price"]
            entry = price * dice.pick(1, 1, 1, 0.9, 1.05)
            size = money / (price * market["multiplier"])
            positions.append((f"{market['venue']}/{market['symbol']}", size, entry))
            gross += abs(money)
        equity = gross * dice.pick(0.05, 0.1, 0.2, 0.2, 0.5, 2) + dice.whole(0, 50)
        balances = {"USDT": equity}
        if dice.seldom():
            base = dice.pick(*[a for a in PRICES if a in assets])
            balances = {"USDT": -equity, base: 2.2 * equity / PRICES[base]}
        key = f"a{number:02d}" + ("!" if isolated else "")
        found.append((key, f"t{dice.whole(0, 6)}", dice.pick(*names), balances, positions))
    for owner in range(7):
        if dice.seldom():
            found.append((f"w{owner}", f"t{owner}", "wallet", {"USDT": dice.pick(10, 500)}, []))
    return found


def behaviour(dice: Dice) -> dict[str, Any]:
    return dice.pick(
        {"kind": "hold"},
        {"kind": "hold"},
        {"kind": "stop_loss", "trigger": 0.05},
        {"kind": "deleverage", "speed": 0.5},
        {"kind": "deleverage", "target": 3, "band": 0.1},
        {"kind": "fundamentalist", "aggressiveness": 5, "max_leverage": 3},
    )


def top_up(dice: Dice) -> dict[str, Any]:
    sources = dice.pick(["wallet"], ["accounts"], ["wallet", "accounts"])
    return {"top_up": {"sources": sources, "latency": dice.pick(0, 2)}} if dice.often() else {}


def traders(dice: Dice, world: dict[str, Any], cohorts: bool) -> list[Any]:
    groups: list[Any] = []
    book = accounts(dice, world, 14)
    if book:
        groups.append({"accounts": book, "name": "book", "behaviour": behaviour(dice)})
        groups[-1] |= top_up(dice)
    listed = sorted({m["venue"] for m in world["markets"] if m["kind"] != "spot"})
    for number in range(dice.whole(0, 2) if cohorts else 0):
        groups.append(
            {
                "cohort": f"c{number}",
                "count": dice.whole(0, 12),
                "venues": dict.fromkeys(listed, 1.0) if dice.often() else {dice.pick(*listed): 1},
                "behaviour": behaviour(dice),
                "equity": {"dist": "pareto", "alpha": 1.5, "min": 50, "max": 5000},
                "leverage": {"dist": "uniform", "min": 1, "max": 20},
                "long_share": dice.pick(0, 0.7, 1),
                "wallet": {"dist": "constant", "value": 0.5},
                **top_up(dice),
            }
        )
    return groups


def couplings(dice: Dice, world: dict[str, Any]) -> list[Any]:
    found = []
    for base in PRICES:
        places = {m["venue"] for m in world["markets"] if m["base"] == base}
        if len(places) < 2 or not dice.often():
            continue
        rule = dice.pick(
            {"kind": "cross_impact", "phi": dice.pick(0.2, 1)},
            {"kind": "arbitrage", "kappa": dice.pick(0.5, 1)},
            {"kind": "arbitrage", "time_constant": 3},
            {"kind": "arbitrage", "kappa": 0.5, "time_constant": 2},
        )
        found.append({**rule, "asset": base})
    return found


def shock(dice: Dice, world: dict[str, Any], noise: bool) -> dict[str, Any]:
    base = dice.pick(*sorted({m["base"] for m in world["markets"]}))
    at = dice.pick(0, 1, 3, 7, 9, 11)
    kinds = ["jump", "jump", "jump", "ramp", "depth", "outage", "peg", *(["gbm"] * noise)]
    kind = dice.pick(*kinds)
    if kind == "jump":
        size = dice.pick(-0.9, -0.5, -0.2, -0.1, 0.1, 0.5, 2)
        places = sorted({m["venue"] for m in world["markets"] if m["base"] == base})
        here = {"venue": dice.pick(*places)} if places and dice.seldom() else {}
        return {"kind": kind, "at": at, "asset": base, "return": size, **here}
    if kind == "peg":
        coin = dice.pick(*sorted({m["quote"] for m in world["markets"]}))
        return {"kind": "jump", "at": at, "asset": coin, "return": dice.pick(-0.5, -0.1, 0.2)}
    if kind == "ramp":
        fall = dice.pick(-0.6, -0.2, 0.3)
        return {"kind": kind, "at": at, "duration": 4, "asset": base, "return": fall}
    if kind == "outage":
        down = dice.pick(*world["venues"])
        return {"kind": kind, "venue": down, "at": at, "duration": dice.pick(1, 4, 25)}
    if kind == "gbm":
        coin = dice.pick(*sorted({m["quote"] for m in world["markets"]}))
        moved = dice.pick([base], [base], [base, coin])
        return {"kind": kind, "assets": moved, "volatility": dice.pick(0.5, 5, 50)}
    end = dice.pick({}, {"until": at + 3}, {"until": at + 3, "recovery_half_life": 2})
    return {"kind": kind, "at": at, "factor": dice.pick(0, 0.1, 5), **end}


@st.composite
def worlds(draw: Any, cohorts: bool = True, noise: bool = True) -> dict[str, Any]:
    """Return a scenario as plain values; a book is still a list of accounts."""
    dice = Dice(draw)
    names, bases = list(VENUES[: dice.whole(1, 3)]), list(PRICES)[: dice.whole(1, 3)]
    coins = dice.pick(["USDT"], ["USDT"], ["USDT", "USDC"])
    assets = {"USDT": {"price": 1.0}, "USDC": {"price": 1.25}}
    world: dict[str, Any] = {
        "schema_version": 1,
        "name": "random",
        "seed": 3,
        "clock": {"tick": 1, "horizon": dice.pick(12, 12, 40, 80)},
        "record": {"every": dice.pick(1, 1, 4, 11)},
        "engine": {"max_generations": 5000},
        "assets": {coin: assets[coin] for coin in coins}
        | {
            base: {"price": PRICES[base], "volatility": 0.8, "haircut": dice.pick(0, 0.05, 0.2)}
            for base in bases
        },
        "venues": {name: venue(dice) for name in names},
        "markets": markets(dice, names, bases, coins),
    }
    world["traders"] = traders(dice, world, cohorts)
    world["coupling"] = couplings(dice, world)
    world["shocks"] = [shock(dice, world, noise) for _ in range(dice.whole(1, 4))]
    return world


def load(world: dict[str, Any], folder: Path) -> sim.Scenario:
    """Write the book of a world and load it."""
    content = copy.deepcopy(world)
    for group in content["traders"]:
        if "accounts" in group:
            files = write_book(folder, group.pop("accounts"))
            group["book"] = {table: str(folder / name) for table, name in files.items()}
    return sim.Scenario.model_validate(content)
