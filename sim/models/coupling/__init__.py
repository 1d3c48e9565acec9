"""How the prices of one asset on several venues pull at each other."""

from sim.models.coupling.arbitrage import ArbitrageTrades, Quote, arbitrage_flows, closing_share
from sim.models.coupling.cross_impact import transmitted_moves

__all__ = ["ArbitrageTrades", "Quote", "arbitrage_flows", "closing_share", "transmitted_moves"]
