"""Which ledger row is what.

Rows are laid out in blocks: traders' accounts, traders' outside wallets, the arbitrageurs'
accounts, then per market its clearing row and its outside-liquidity row, per clearer its
insurance fund, its own (house) row, its backstop and its keepers; where such layers exist, per
market the fund of its contract, and per clearer its default fund and its skin in the game; one row
for money in transit, one for the desk and one for the world.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowPlan:
    """Offsets of the blocks of ledger rows."""

    accounts: int
    wallets: int
    arbitrage: int
    markets: int
    venues: int
    contract_funds: int = 0
    ccps: int = 0

    @property
    def first_wallet(self) -> int:
        """Row of the first trader's wallet."""
        return self.accounts

    @property
    def first_arbitrage(self) -> int:
        """Row of the first arbitrageur's account."""
        return self.accounts + self.wallets

    @property
    def first_clearing(self) -> int:
        """Row that pays and receives the realised profit of market 0."""
        return self.first_arbitrage + self.arbitrage

    @property
    def first_outside(self) -> int:
        """Row of the outside liquidity of market 0."""
        return self.first_clearing + self.markets

    @property
    def first_fund(self) -> int:
        """Row of the insurance fund of venue 0."""
        return self.first_outside + self.markets

    @property
    def first_house(self) -> int:
        """Row of venue 0 itself: its fees, and the losses nobody else bears."""
        return self.first_fund + self.venues

    @property
    def first_backstop(self) -> int:
        """Row of the backstop of venue 0, which takes positions over and holds them."""
        return self.first_house + self.venues

    @property
    def first_keeper(self) -> int:
        """Row of the keepers of venue 0: outsiders who earn by liquidating its accounts."""
        return self.first_backstop + self.venues

    @property
    def first_contract_fund(self) -> int:
        """Row of the insurance fund of market 0 alone; `contract_funds` is 0 or all markets."""
        return self.first_keeper + self.venues

    @property
    def first_default_fund(self) -> int:
        """Row of the members' default fund of venue 0; `ccps` is 0 or all venues."""
        return self.first_contract_fund + self.contract_funds

    @property
    def first_skin(self) -> int:
        """Row of the capital with which venue 0 pays before its members."""
        return self.first_default_fund + self.ccps

    @property
    def transit(self) -> int:
        """Row of money on its way between two accounts."""
        return self.first_skin + self.ccps

    @property
    def desk(self) -> int:
        """Row of the desk that turns collateral into cash."""
        return self.transit + 1

    @property
    def world(self) -> int:
        """Row where deposits come from."""
        return self.transit + 2

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.transit + 3
