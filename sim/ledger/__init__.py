"""The only mutable money: accounts, balances and positions as arrays, moved by transfers."""

from sim.ledger.ledger import Ledger
from sim.ledger.rows import RowPlan

__all__ = ["Ledger", "RowPlan"]
