"""Mark prices: the price that margin uses, from last and index prices.

A rule marks all markets of one venue at once. `build_mark` makes a fresh rule, with its own
memory, from a configuration.
"""

from __future__ import annotations

from typing import Any

from sim.models.mark.base import MARKS, MarkRule
from sim.models.mark.ema import EmaMark
from sim.models.mark.funded_index import FundedIndexMark
from sim.models.mark.index import IndexMark, IndexMethod, index_price, index_shares
from sim.models.mark.last import LastMark
from sim.models.mark.median_of import MedianOfMark
from sim.models.mark.oracle import OracleMark
from sim.models.mark.twap import TwapMark

__all__ = [
    "MARKS",
    "EmaMark",
    "FundedIndexMark",
    "IndexMark",
    "IndexMethod",
    "LastMark",
    "MarkRule",
    "MedianOfMark",
    "OracleMark",
    "TwapMark",
    "build_mark",
    "index_price",
    "index_shares",
]


def build_mark(config: Any) -> MarkRule:
    """Build the mark rule of one venue from its configuration, whose `kind` names the variant.

    Raises
    ------
    KeyError
        If `config.kind` is not registered.
    ValueError
        If a parameter is out of its range (message names it).
    """
    return MARKS[config.kind].from_config(config)
