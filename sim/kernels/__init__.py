"""Hot loops: a plain NumPy reference and its numba twin side by side, arrays in, arrays out."""

from sim.kernels.margin import account_margin, backend

__all__ = ["account_margin", "backend"]
