"""The size at which the spectral radius reaches 1, on worlds whose radius is a given curve."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from sim.cascade import tipping
from sim.cascade.tipping import Criterion, spectral_size


def size_of(monkeypatch, radius, induced=lambda size: 0.0):
    """Return what is found where the radius and the share closed by sales are these functions."""
    direction = SimpleNamespace(weights={"BTC": -1.0}, largest=1.0, move=lambda size: size)
    cascade = SimpleNamespace(
        run=lambda size: SimpleNamespace(size=size, induced=induced(size)),
        at_rest=lambda: SimpleNamespace(size=0.0, induced=0.0),
    )
    monkeypatch.setattr(
        tipping, "amplification",
        lambda _cascade, _accounts, _direction, _window, base: SimpleNamespace(
            radius=radius(base.size)
        ),
    )  # fmt: skip
    return spectral_size(cascade, None, direction, 0.0, Criterion())


def saddle(size):
    return 1.0 - math.sqrt(max(0.3 - size, 0.0))


def test_the_end_of_a_saddle_node_is_found(monkeypatch):
    assert size_of(monkeypatch, saddle) == pytest.approx(0.3, rel=1e-3)


def test_a_jump_where_the_radius_is_near_1_is_found(monkeypatch):
    """The secants point beyond it, as where accounts are counted in a window."""

    def bent(size):
        return 1.0 - math.sqrt(max(0.3 - size, 0.005 + 0.5 * (0.29 - size)))

    found = size_of(monkeypatch, bent, lambda size: 1.0 if size > 0.3 else 0.0)
    assert found == pytest.approx(0.3, rel=1e-2)


def test_a_jump_far_from_a_radius_of_1_gives_no_size(monkeypatch):
    def slowly(size):
        return 0.5 + 0.1 * size

    found = size_of(monkeypatch, slowly, lambda size: 1.0 if size > 0.3 else 0.0)
    assert math.isnan(found)


def test_a_radius_that_stays_where_it_is_gives_an_infinite_size(monkeypatch):
    assert size_of(monkeypatch, lambda size: 0.5) == math.inf
