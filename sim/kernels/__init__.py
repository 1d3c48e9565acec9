"""Hot loops: a plain NumPy reference and its numba twin side by side, arrays in, arrays out."""

from sim.kernels.compiling import backend
from sim.kernels.margin import account_margin

__all__ = ["account_margin", "backend"]
