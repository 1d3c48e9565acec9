"""Values of options and futures, for margin grids."""

from sim.models.pricing.black import black_value
from sim.models.pricing.legs import Legs

__all__ = ["Legs", "black_value"]
