"""Named random streams.

One root seed; every consumer draws from a stream of its own, so that adding a stream or a
draw never shifts another, and two policies compared on one seed share their randomness
(common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream_number(name: str) -> int:
    """Return the stable 32-bit number of a stream name (first bytes of its SHA-256)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


class Streams:
    """Random generators by name, all spawned from one root seed.

    Parameters
    ----------
    seed : int
        Root entropy, >= 0.
    replication : int
        Index of the replication, >= 0; streams of different replications are independent.

    Notes
    -----
    ``SeedSequence(entropy=seed, spawn_key=(replication, stream_number(name)))`` feeds a
    PCG64 generator [1]_.

    References
    ----------
    .. [1] NumPy reference, "Parallel random number generation", numpy 2.x.
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if seed < 0 or replication < 0:
            raise ValueError(f"seed and replication must be >= 0, found {seed}, {replication}")
        self.seed = seed
        self.replication = replication

    def generator(self, name: str) -> np.random.Generator:
        """Return a fresh generator at the start of the stream `name`."""
        sequence = np.random.SeedSequence(
            entropy=self.seed, spawn_key=(self.replication, stream_number(name))
        )
        return np.random.Generator(np.random.PCG64(sequence))
