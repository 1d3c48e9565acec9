"""What mechanisms show in the recorded table `mechanisms`: each series with its unit, once."""

from __future__ import annotations

from typing import Literal, NamedTuple

Unit = Literal["1", "1/sqrt(year)", "numeraire", "quote", "quote/base", "base", "contracts",
               "count", "flag"]  # fmt: skip


class SeriesInfo(NamedTuple):
    """Of what a series is, its unit and its meaning."""

    of: Literal["venue", "market", "venue or market"]
    unit: Unit
    text: str


def _paid(what: str) -> SeriesInfo:
    return SeriesInfo("venue", "numeraire", f"{what}, paid since the start")


CATALOGUE: dict[str, SeriesInfo] = {
    "premium": SeriesInfo(
        "market", "1",
        "mean premium of the funding interval so far; on the tick of a payment that of the "
        "interval that ended",
    ),
    "funding_rate": SeriesInfo(
        "market", "1",
        "rate of the last funding payment, per interval; before the first, what no premium gives",
    ),
    "funding_paid": SeriesInfo("market", "quote", "what those who paid have paid since the start"),
    "collateral_price": SeriesInfo(
        "market", "numeraire",
        "what one unit of the base counts on a venue that goes by its own book, before the haircut",
    ),
    "initial_rate": SeriesInfo(
        "market", "1",
        "initial rate of the first tier at the present open interest, before terms of size",
    ),
    "margin_rate": SeriesInfo(
        "market", "1",
        "maintenance rate in force under a risk model, with the stress multiplier",
    ),
    "model_volatility": SeriesInfo("market", "1/sqrt(year)", "volatility of the risk model"),
    "realised_volatility": SeriesInfo(
        "market", "1/sqrt(year)", "stress index: realised volatility of its window"
    ),
    "margin_multiplier": SeriesInfo("market", "1", "what margins are multiplied by in stress"),
    "forced_waiting": SeriesInfo(
        "venue", "numeraire",
        "gross notional of accounts still liquidatable at the end of the tick",
    ),
    "backstop_equity": SeriesInfo(
        "venue", "numeraire", "money and unrealised profit of the backstop, at the marks"
    ),
    "backstop_inventory": SeriesInfo(
        "venue", "numeraire", "gross notional that the backstop holds, all markets"
    ),
    "backstop_position": SeriesInfo("market", "contracts", "signed position of the backstop"),
    "contract_fund": SeriesInfo("market", "numeraire", "what the fund of the contract holds"),
    "insurance_fund_peak": SeriesInfo(
        "venue or market", "numeraire", "peak of the fund over the window of its trigger"
    ),
    "default_fund": SeriesInfo("venue", "numeraire", "what is left in the default fund"),
    "skin_in_the_game": SeriesInfo("venue", "numeraire", "what is left of the clearer's own money"),
    "own_contribution_paid": _paid("contributions of defaulters"),
    "skin_in_the_game_paid": _paid("the clearer's own money"),
    "default_fund_paid": _paid("contributions of survivors"),
    "assessments_paid": _paid("assessments of survivors"),
    "gains_haircut_paid": _paid("haircut of gains"),
    "tear_up_paid": _paid("losses of contracts torn up"),
    "halted": SeriesInfo("market", "flag", "1 while no order can fill because of a halt"),
    "indicative_price": SeriesInfo(
        "market", "quote/base", "last price moved by the returns that a halt holds back"
    ),
    "band_low": SeriesInfo("market", "quote/base", "lower limit of the tick; none while halted"),
    "band_high": SeriesInfo("market", "quote/base", "upper limit of the tick; none while halted"),
    "keeper_capital": SeriesInfo(
        "venue", "numeraire",
        "what the keepers have; earnings only, where their capital has no limit",
    ),
    "keeper_profit": SeriesInfo(
        "venue", "numeraire", "what keepers have earned by buying collateral, gas paid"
    ),
    "loans_waiting": SeriesInfo(
        "venue", "count", "liquidatable loans that nobody wanted in this tick"
    ),
    "auctions_open": SeriesInfo("venue", "count", "auctions that are going on"),
    "auction_price": SeriesInfo(
        "market", "quote/base", "lowest price at which collateral is on offer; 0 without auctions"
    ),
    "absorbed": SeriesInfo("market", "base", "collateral taken over and not sold yet"),
    "bands_collateral": SeriesInfo("market", "base", "collateral in bands"),
    "bands_cash": SeriesInfo("market", "quote", "money that conversions in bands raised"),
    "bands_health": SeriesInfo("venue", "1", "lowest health of a loan in bands; 0 without any"),
}  # fmt: skip
"""Every series by name, in the order of the documentation."""
