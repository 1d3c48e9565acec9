"""The rows of a book as arrays, streamed out of DuckDB piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import BoolArray, Int16Array, Int32Array
from sim.core.texts import Texts
from sim.schema.book_checks import BookChecks
from sim.schema.book_rules import JOINED

if TYPE_CHECKING:
    import pandas as pd

_VECTORS = 16  # of 2,048 rows: what DuckDB hands over at a time
_LIKENESS = "hash(t.account_id)"  # the same for equal ids


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """Accounts (A) and outside wallets (W), each in the order of trader id, then account id.

    Attributes
    ----------
    number : (A + W,) int32
        Of each row of the file: the account, or A plus the wallet.
    account_ids, trader_ids : Texts
        Ids of the accounts, and of all traders in their order.
    trader : (A + W,) int32
        Owner of each account, then of each wallet.
    clearer : (A,) int16
    isolated : (A,) bool
    """

    number: Int32Array
    account_ids: Texts
    trader_ids: Texts
    trader: Int32Array
    clearer: Int16Array
    isolated: BoolArray


class _Stream:
    """The rows of a query, copied into arrays piece by piece."""

    def __init__(self, checks: BookChecks, table: str, query: str, **kinds: str) -> None:
        found = checks.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        count = int(found[0]) if found else 0
        self.columns = {name: np.empty(count, dtype=kind) for name, kind in kinds.items()}
        self.broken = False
        self._checks = checks
        self._query = f"SELECT {checks.broken(table)} AS broken, {query}"

    def pieces(self) -> Iterator[pd.DataFrame]:
        """Yield each piece after its numbers have been copied."""
        rows, first = self._checks.connection.execute(self._query), 0
        while len(piece := rows.fetch_df_chunk(_VECTORS)):
            for name, column in self.columns.items():
                column[first : first + len(piece)] = piece[name].to_numpy()
            self.broken |= bool(piece["broken"].any())
            first += len(piece)
            yield piece

    def read(self, accounts: Accounts) -> dict[str, NDArray[Any]]:
        """Return the columns of all rows, the row of `account` replaced by its number."""
        for _ in self.pieces():
            pass
        self._checks.refuse(self.broken)
        for name, column in self.columns.items():
            if column.dtype.kind == "i" and column.min(initial=0) < 0:
                raise AssertionError(f"a row of the book points nowhere ({name}) and broke no rule")
        self.columns["account"] = accounts.number[self.columns["account"]]
        return self.columns


def read_accounts(checks: BookChecks, venues: int) -> Accounts:
    """Read the accounts of a book; the clearer of code `venues` is the outside wallet.

    Raises
    ------
    BookError
        Some rows of the book break a rule.
    """
    stream = _Stream(
        checks,
        "accounts",
        "t.row, coalesce(t.account_id, '') AS account_id, coalesce(t.trader_id, '') AS trader_id, "
        "coalesce(k.code, -1) AS clearer, coalesce(t.margin_mode = 'isolated', false) AS isolated, "
        f"{_LIKENESS} AS likeness FROM {JOINED['accounts']} "
        "ORDER BY trader_id, account_id",
        row="int32",
        clearer="int16",
        isolated="bool",
        likeness="uint64",
    )
    account_ids, trader_ids, new, last = [], [], [], None
    for piece in stream.pieces():
        owner = piece["trader_id"].to_numpy(dtype=object)
        new.append(np.append(owner[:1] != last, owner[1:] != owner[:-1]))
        last = owner[-1]
        trader_ids.append(Texts(owner[new[-1]]))
        inside = piece["clearer"].to_numpy() != venues
        account_ids.append(Texts(piece["account_id"].to_numpy(dtype=object)[inside]))
    row, clearer, isolated, likeness = stream.columns.values()
    likeness.sort()
    checks.refuse(stream.broken, bool((likeness[1:] == likeness[:-1]).any()))
    trader = np.cumsum(np.concatenate(new), dtype=np.int32) - np.int32(1)
    outside = clearer == venues
    order = np.concatenate([np.flatnonzero(~outside), np.flatnonzero(outside)])
    number = np.empty(row.size, dtype=np.int32)
    number[row[order]] = np.arange(row.size, dtype=np.int32)
    accounts = row.size - int(outside.sum())
    return Accounts(
        number,
        Texts.join(account_ids),
        Texts.join(trader_ids),
        trader[order],
        clearer[order[:accounts]],
        isolated[order[:accounts]],
    )


def read_balances(checks: BookChecks, accounts: Accounts) -> dict[str, NDArray[Any]]:
    """Read the balances of a book: ``account asset amount``, in any order.

    Raises
    ------
    BookError
        Some rows of the book break a rule.
    """
    stream = _Stream(
        checks,
        "balances",
        "coalesce(a.row, -1) AS account, coalesce(k.code, -1) AS asset, "
        f"t.amount_value AS amount FROM {JOINED['balances']}",
        account="int32",
        asset="int16",
        amount="float64",
    )
    return stream.read(accounts)


def read_positions(checks: BookChecks, accounts: Accounts) -> dict[str, NDArray[Any]]:
    """Read the positions of a book: ``account market quantity entry_price``, in any order.

    Raises
    ------
    BookError
        Some rows of the book break a rule.
    """
    stream = _Stream(
        checks,
        "positions",
        "coalesce(a.row, -1) AS account, coalesce(k.market, -1) AS market, "
        "t.quantity_value AS quantity, t.entry_price_value AS entry_price "
        f"FROM {JOINED['positions']}",
        account="int32",
        market="int16",
        quantity="float64",
        entry_price="float64",
    )
    return stream.read(accounts)


def put_in_order(columns: dict[str, NDArray[Any]], code: str) -> bool:
    """Sort rows by `account`, then by the column `code`; return whether two are alike in both.

    Parameters
    ----------
    columns : dict of str to (N,) array
        Changed in place, one array after the other, so that only one is there twice.
    code : str
    """
    account = columns["account"]
    key = account.astype(np.int64)
    key *= int(columns[code].max(initial=0)) + 1
    key += columns[code]
    order = np.argsort(key)
    for name in columns:
        columns[name] = columns[name][order]
    account, kind = columns["account"], columns[code]
    return bool(((account[1:] == account[:-1]) & (kind[1:] == kind[:-1])).any())
