"""Small worlds with one lending venue and one kind of collateral."""

from __future__ import annotations

from typing import Any

import sim
from tests.engine.small_worlds import FLAT, build, jump

MARKET = "pool/WETH-USDC"


def borrower(debt: float, size: float = 10.0, entry: float = 0.0, name: str = "a0") -> tuple:
    """Return an account with `size` ether and a debt [USDC] beside what it paid at `entry`."""
    return name, f"t-{name}", "pool", {"USDC": -debt}, [(MARKET, size, entry)]


def lend(
    folder: Any,
    accounts: list[Any],
    liquidation: dict[str, Any],
    *,
    price: float = 3000.0,
    to: float | None = None,
    threshold: float = 0.83,
    impact: dict[str, Any] = FLAT,
    fund: float = 1e6,
    quote: float = 1.0,
    **fields: Any,
) -> sim.Result:
    """Play a lending venue; the price jumps at 1 s where `to` says where.

    `venue` are further rules of it, and `quote` is what a USDC is worth.
    """
    loan = {"loan_to_value": threshold - 0.02, "liquidation_threshold": threshold}
    shocks = [] if to is None else [jump(to / price - 1, asset="WETH")]
    plans = fields.pop("plans", ())
    scenario = build(
        folder,
        accounts,
        assets={"USDC": {"price": quote}, "WETH": {"price": price * quote}},
        venues={
            "pool": {
                "margin": {"kind": "cross", "loans": {"WETH": loan}},
                "liquidation": liquidation,
                "mark": fields.pop("mark", {"kind": "last"}),
                "waterfall": [{"kind": "insurance_fund", "size": fund}, {"kind": "clearer"}],
                "breakers": fields.pop("breakers", []),
                **fields.pop("venue", {}),
            }
        },
        markets=[
            {
                "venue": "pool", "symbol": "WETH-USDC", "kind": "collateral", "base": "WETH",
                "quote": "USDC", "impact": impact,
            }
        ],
        shocks=fields.pop("shocks", shocks),
        **fields,
    )  # fmt: skip
    return sim.run(scenario, traders=plans, check=True)


def shown(result: sim.Result, name: str) -> list[float]:
    """Return a recorded series of a mechanism, tick by tick."""
    table = result.mechanisms
    return table.loc[table["series"] == name, "value"].tolist()
