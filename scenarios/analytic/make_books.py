"""Write the books of the analytic scenarios.

Run ``python scenarios/analytic/make_books.py`` to write the tables in ``books/`` again. Nothing is
random: the k-th of N accounts sits at the quantile (k + 1/2) / N of its distribution, and only
arithmetic and ``**`` are used, and 15 digits written, so that every machine writes the same bytes.

    uniform      1,000 accounts long 0.001 X at 1; they break at falls uniform on [0, 0.5]
    pareto       1,000 accounts long 0.001 X at 1; leverage Pareto with exponent 2
    pareto-margin   the same with exponent 1.5, below leverage 20
    two-venues   1,000 accounts on each of two venues; falls uniform on [0, 0.45] and [0, 0.5]
    portfolio    1,000 accounts long 0.001 X and 0.0005 Y; losses they can bear uniform on [0, 0.6]
    two-banks    the two banks of Cont and Schaanning (2017)
    leverage     one account with assets 1 and equity 0.2
    laws         one order per impact law
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ACCOUNTS = 1000

COLUMNS = {
    "accounts": ("account_id", "trader_id", "clearer", "margin_mode"),
    "balances": ("account_id", "asset", "amount"),
    "positions": ("account_id", "venue", "symbol", "quantity", "entry_price"),
}


@dataclass(frozen=True)
class Account:
    """One cross-margined account.

    Attributes
    ----------
    name : str
    clearer : str
        Venue that margins it.
    collateral : float [USD]
    positions : sequence of (venue, symbol, quantity)
        All entered at a price of 1.
    """

    name: str
    clearer: str
    collateral: float
    positions: Sequence[tuple[str, str, float]]


def quantiles(number: int) -> list[float]:
    """Return the mid-points of `number` equal parts of [0, 1]."""
    return [(k + 0.5) / number for k in range(number)]


def uniform() -> list[Account]:
    """Return accounts whose collateral is spent by a fall uniform on [0, 0.5]."""
    size = 1.0 / ACCOUNTS
    return [
        Account(f"a{k:04d}", "one", 0.5 * u * size, [("one", "X", size)])
        for k, u in enumerate(quantiles(ACCOUNTS))
    ]


def pareto(alpha: float, margin: float) -> list[Account]:
    """Return accounts with leverage L, P(L > l) = l**-alpha, all below ``1 / margin``.

    Parameters
    ----------
    alpha : float
        Tail exponent, > 0.
    margin : float
        Maintenance rate [1]; an account with ``1 / L <= margin`` could not have opened.
    """
    size, low = 1.0 / ACCOUNTS, margin**alpha
    return [
        Account(
            f"a{k:04d}",
            "one",
            (low + u * (1.0 - low)) ** (1.0 / alpha) * size,
            [("one", "X", size)],
        )
        for k, u in enumerate(quantiles(ACCOUNTS))
    ]


def two_venues() -> list[Account]:
    """Return accounts of two venues."""
    size = 1.0 / ACCOUNTS
    return [
        Account(f"{venue}{k:04d}", venue, top * u * size, [(venue, "X", size)])
        for venue, top in (("a", 0.45), ("b", 0.5))
        for k, u in enumerate(quantiles(ACCOUNTS))
    ]


def portfolio() -> list[Account]:
    """Return accounts with one portfolio of two assets and different buffers."""
    size = 1.0 / ACCOUNTS
    positions = [("one", "X", size), ("one", "Y", 0.5 * size)]
    return [
        Account(f"a{k:04d}", "one", 0.6 * u * size, positions)
        for k, u in enumerate(quantiles(ACCOUNTS))
    ]


def two_banks() -> list[Account]:
    """Return the banks: securities that can be sold, loans that cannot, capital."""
    return [
        Account(
            "A", "regulator", 4.0, [("regulator", "SEC", 90.0), ("regulator", "LOANS-A", 10.0)]
        ),
        Account(
            "B", "regulator", 4.5, [("regulator", "SEC", 70.0), ("regulator", "LOANS-B", 20.0)]
        ),
    ]


def leverage() -> list[Account]:
    """Return one account with leverage 5."""
    return [Account("fund", "one", 0.2, [("one", "X", 1.0)])]


def laws() -> list[Account]:
    """Return one account per market of ``impact-laws.yaml``; a fall of 0.5 % breaks it."""
    orders = {
        "KYLE": 1.5,
        "SQRT-1": 0.01,
        "SQRT-2": 0.04,
        "SQRT-3": 0.16,
        "EXP": 40.0,
        "IBM-10": 656_100.0,
        "IBM-20": 656_100.0,
        "IBM-50": 656_100.0,
        "DRI-10": 192_900.0,
        "DRI-20": 192_900.0,
        "DRI-50": 192_900.0,
        "DECAY": 1.0,
    }
    return [
        Account(symbol.lower(), "one", 0.005 * size, [("one", symbol, size)])
        for symbol, size in orders.items()
    ]


BOOKS = {
    "uniform": uniform(),
    "pareto": pareto(2.0, 0.0),
    "pareto-margin": pareto(1.5, 0.05),
    "two-venues": two_venues(),
    "portfolio": portfolio(),
    "two-banks": two_banks(),
    "leverage": leverage(),
    "laws": laws(),
}


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write one table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_books(folder: Path) -> None:
    """Write the three tables of every book into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, accounts in BOOKS.items():
        rows: dict[str, list[tuple[str, ...]]] = {
            "accounts": [(a.name, a.name, a.clearer, "cross") for a in accounts],
            "balances": [(a.name, "USD", f"{a.collateral:.15g}") for a in accounts],
            "positions": [
                (a.name, venue, symbol, f"{quantity:.12g}", "1")
                for a in accounts
                for venue, symbol, quantity in a.positions
            ],
        }
        for table, columns in COLUMNS.items():
            write(folder / f"{name}-{table}.csv", columns, rows[table])


if __name__ == "__main__":
    write_books(Path(__file__).with_name("books"))
