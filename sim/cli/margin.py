"""``liqsim margin``: the margin of every account at the start or at given prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.options import Json, ScenarioFile, no_such, pairs, positive

if TYPE_CHECKING:
    from pandas import DataFrame

    from sim.schema import Scenario

TOP = 20
"""Accounts shown to a human without ``--top``."""

PRICE_EXAMPLE = "market=value, such as alpha/BTC-PERP=105000"


Account = Annotated[str | None, typer.Option(metavar="ID", help="Only this account.")]
Prices = Annotated[
    list[str] | None,
    typer.Option(
        "--prices",
        metavar="MARKET=VALUE",
        help="Price of a market instead of its initial one; may be repeated.",
    ),
]
Csv = Annotated[
    bool, typer.Option("--csv", help="Print CSV: one row per position, with its account.")
]
Top = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help=f"Only the N accounts nearest to liquidation; tables for reading show {TOP}, "
        "JSON and CSV all.",
    ),
]


def margin(
    file: ScenarioFile,
    account: Account = None,
    prices: Prices = None,
    as_json: Json = False,
    as_csv: Csv = False,
    top: Top = None,
) -> None:
    """Show the margin and liquidation prices of every account."""
    from sim.cli.bundled import find
    from sim.schema import load

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    given = pairs(prices or (), "--prices", PRICE_EXAMPLE)
    values = {name: positive(name, text, "--prices") for name, text in given.items()}
    scenario = load(find(file))
    known = [market.id for market in scenario.markets]
    for name in values:
        if name not in known:
            raise typer.BadParameter(no_such("market", name, known), param_hint="--prices")
    from sim.engine import margin_table

    accounts, positions = margin_table(scenario, values, account)
    total = len(accounts)
    limit = top if top is not None else (total if as_json or as_csv else TOP)
    accounts, positions = _nearest_to_liquidation(accounts, positions, limit)
    if as_json:
        _emit_json(scenario, values, accounts, positions)
    elif as_csv:
        _emit_csv(accounts, positions)
    else:
        _emit_tables(accounts, positions, total)


def _nearest_to_liquidation(
    accounts: DataFrame, positions: DataFrame, limit: int
) -> tuple[DataFrame, DataFrame]:
    """Return the accounts with the lowest margin ratio, lowest first, and their positions."""
    ranked = accounts.sort_values("margin_ratio", kind="stable", na_position="last").head(limit)
    ranked = ranked.reset_index(drop=True)
    rank = dict(zip(ranked["account_id"], ranked.index, strict=True))
    order = positions["account_id"].map(rank).dropna().sort_values(kind="stable")
    return ranked, positions.loc[order.index].reset_index(drop=True)


def _emit_json(
    scenario: Scenario, prices: dict[str, float], accounts: DataFrame, positions: DataFrame
) -> None:
    from sim.cli.console import emit_json

    emit_json(
        {
            "scenario": scenario.name,
            "prices": prices,
            "accounts": accounts.to_dict(orient="records"),
            "positions": positions.to_dict(orient="records"),
        }
    )


def _emit_csv(accounts: DataFrame, positions: DataFrame) -> None:
    """Write one row per position, and one for an account without any."""
    import math

    from sim.cli.console import emit

    shared = [name for name in accounts if name in positions and name != "account_id"]
    renamed = accounts.rename(columns={name: f"account_{name}" for name in shared})
    joined = renamed.merge(positions, on="account_id", how="left", sort=False)
    joined = joined.replace([math.inf, -math.inf], math.nan)
    emit(joined.to_csv(index=False, lineterminator="\n"))


def _emit_tables(accounts: DataFrame, positions: DataFrame, total: int) -> None:
    from sim.cli.console import emit

    hide = ["trader_id"]
    if (accounts["liquidation_ratio"] == 1.0).all():
        hide.append("liquidation_ratio")
    if accounts["health"].isna().all():
        hide.append("health")
    _emit_table("accounts, nearest to liquidation first", accounts.drop(columns=hide), 3)
    markets = positions.assign(venue=positions["venue"] + "/" + positions["symbol"])
    _emit_table("positions", markets.drop(columns="symbol").rename(columns=MARKET), 2)
    hidden = total - len(accounts)
    if hidden:
        emit(f"{hidden:,} more accounts; --top N shows more, --json or --csv all\n")


MARKET = {"venue": "market"}
"""Heading of the column that joins venue and symbol."""


def _emit_table(title: str, table: DataFrame, left: int) -> None:
    from sim.cli.console import amount, emit_table

    rows: list[tuple[str, ...]] = []
    for record in table.itertuples(index=False):
        cells: tuple[Any, ...] = tuple(record)
        rows.append(tuple(cell if isinstance(cell, str) else amount(cell) for cell in cells))
    headings = [str(column).replace("_", "\n") for column in table.columns]
    emit_table(title, headings, rows, left=left)
