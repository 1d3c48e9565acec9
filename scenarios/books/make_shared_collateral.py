"""Write the book of prime-brokerage clients used by ``shared-collateral.yaml``.

Run ``python scenarios/books/make_shared_collateral.py`` to write the three tables again; the seed
is fixed, and only ``random.Random.random`` is used, so every Python version writes the same bytes.

Each of the 200 clients has one account that the venue `prime` margins. It holds USDT as collateral
and is long on two other venues: half of its notional in BTC-PERP on alpha, 30 % in BTC-PERP and
20 % in ETH-PERP on beta. All figures are invented.

    equity    Pareto, exponent 1.2, from 2e5 to 5e6 USDT, by inversion of the truncated distribution
    leverage  uniform from 6 to 12 (prime asks 8 % initial margin, which allows 12.5)
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

SEED = 20251010
CLIENTS = 200
PRICES = {"BTC": 120_000.0, "ETH": 4_000.0}  # [USDT], those of the scenario's assets
LEGS = (  # venue, symbol, base, share of the client's notional
    ("alpha", "BTC-PERP", "BTC", 0.5),
    ("beta", "BTC-PERP", "BTC", 0.3),
    ("beta", "ETH-PERP", "ETH", 0.2),
)


def truncated_pareto(uniform: float, alpha: float, low: float, high: float) -> float:
    """Return the quantile of a Pareto distribution cut to [low, high].

    Parameters
    ----------
    uniform : float
        Probability, in [0, 1).
    alpha : float
        Tail exponent, > 0.
    low, high : float
        Bounds, 0 < low < high.
    """
    mass = 1.0 - (low / high) ** alpha
    return float(low * (1.0 - uniform * mass) ** (-1.0 / alpha))


def write(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write one table next to this file."""
    path = Path(__file__).with_name(f"shared-collateral-{name}.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def main() -> None:
    """Draw the clients and write accounts, balances and positions."""
    random = Random(SEED)
    accounts, balances, positions = [], [], []
    for number in range(CLIENTS):
        account, trader = f"prime-{number:03d}", f"client-{number:03d}"
        equity = truncated_pareto(random.random(), 1.2, 2e5, 5e6)
        leverage = 6.0 + 6.0 * random.random()
        accounts.append((account, trader, "prime", "cross"))
        balances.append((account, "USDT", f"{equity:.2f}"))
        for venue, symbol, base, share in LEGS:
            quantity = equity * leverage * share / PRICES[base]
            positions.append((account, venue, symbol, f"{quantity:.6f}", f"{PRICES[base]:.2f}"))
    write("accounts", ("account_id", "trader_id", "clearer", "margin_mode"), accounts)
    write("balances", ("account_id", "asset", "amount"), balances)
    write("positions", ("account_id", "venue", "symbol", "quantity", "entry_price"), positions)


if __name__ == "__main__":
    main()
