from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.command import invoke, small


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """One long account whose numbers are worked out by hand, beside the forty of the cohort."""
    (tmp_path / "accounts.csv").write_text(
        "account_id,trader_id,clearer,margin_mode\nmine,t1,alpha,cross\nidle,t2,beta,cross\n"
    )
    (tmp_path / "balances.csv").write_text("account_id,asset,amount\nmine,USDT,1000\nidle,USDT,5\n")
    (tmp_path / "positions.csv").write_text(
        "account_id,venue,symbol,quantity,entry_price\nmine,alpha,BTC-PERP,0.1,100000\n"
    )
    files = "{accounts: accounts.csv, balances: balances.csv, positions: positions.csv}"
    return small(tmp_path, **{"shocks:\n": f"  - book: {files}\nshocks:\n"})


def test_margin_of_one_account(book: Path) -> None:
    result = invoke("margin", book, "--account", "mine", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    (account,), (position,) = document["accounts"], document["positions"]
    assert account["equity"] == pytest.approx(1000)
    assert account["maintenance_margin"] == pytest.approx(100)
    assert account["initial_margin"] == pytest.approx(200)
    assert account["margin_ratio"] == pytest.approx(10)
    # 1000 + 0.1 (p - 100,000) is 0.001 p at liquidation and 0 at bankruptcy
    assert position["liquidation_price"] == pytest.approx(9000 / 0.099)
    assert position["bankruptcy_price"] == pytest.approx(90_000)


def test_margin_at_another_price(book: Path) -> None:
    price = "alpha/BTC-PERP=95_000"
    document = json.loads(
        invoke("margin", book, "--account", "mine", "--prices", price, "--json").stdout
    )
    (account,), (position,) = document["accounts"], document["positions"]
    assert document["prices"] == {"alpha/BTC-PERP": 95_000}
    assert account["equity"] == pytest.approx(500)
    assert account["margin_ratio"] == pytest.approx(500 / 95)
    assert position["unrealised_profit"] == pytest.approx(-500)


def test_a_human_sees_the_twenty_nearest_and_how_many_more(book: Path) -> None:
    result = invoke("margin", book)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("22 more accounts; --top N shows more, --json or --csv all\n")
    assert "more accounts" not in invoke("margin", book, "--top", "99").stdout
    document = json.loads(invoke("margin", book, "--json").stdout)
    assert len(document["accounts"]) == 42
    ratios = [row["margin_ratio"] for row in document["accounts"]]
    finite = [ratio for ratio in ratios if ratio is not None]
    assert finite == sorted(finite)
    assert ratios[-1] is None  # the account without positions is never liquidated
    first = document["accounts"][0]["account_id"]
    lines = result.stdout.splitlines()
    rule = next(number for number, line in enumerate(lines) if "───" in line)
    assert lines[rule + 1].split()[0] == first


def test_csv_has_every_position_and_every_account(book: Path) -> None:
    result = invoke("margin", book, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 42
    mine = next(row for row in rows if row["account_id"] == "mine")
    assert float(mine["account_maintenance_margin"]) == pytest.approx(100)
    assert float(mine["notional"]) == pytest.approx(10_000)
    idle = next(row for row in rows if row["account_id"] == "idle")
    assert idle["quantity"] == ""
    cells = {cell for row in rows for cell in row.values()}
    assert not cells & {"inf", "-inf", "nan", "NaN"}


def test_an_unknown_account_names_the_nearest(book: Path) -> None:
    result = invoke("margin", book, "--account", "mime")
    assert result.exit_code == 3
    assert "did you mean 'mine'?" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--prices", "alpha/BTC-PERF=1"), "did you mean 'alpha/BTC-PERP'?"),
        (("--prices", "alpha/BTC-PERP=nan"), "finite number above 0"),
        (("--prices", "alpha/BTC-PERP=inf"), "finite number above 0"),
        (("--prices", "alpha/BTC-PERP=0"), "finite number above 0"),
        (("--prices", "alpha/BTC-PERP=-5"), "finite number above 0"),
        (("--prices", "alpha/BTC-PERP=cheap"), "finite number above 0"),
        (("--prices", "alpha/BTC-PERP"), "market=value"),
        (("--json", "--csv"), "not both"),
        (("--top", "0"), "--top"),
    ],
)
def test_wrong_options_are_usage_errors(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    result = invoke("margin", small(tmp_path), *options)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""


def test_health_is_shown_where_there_are_loans(book: Path) -> None:
    assert "health" not in invoke("margin", book).stdout
    lending = Path(__file__).parents[2] / "scenarios" / "venues" / "lending-spread.yaml"
    assert "health" in invoke("margin", lending, "--top", "1").stdout
    document = json.loads(invoke("margin", book, "--account", "mine", "--json").stdout)
    assert document["accounts"][0]["health"] is None
