"""Any value anywhere: a scenario loads, or is refused in plain words, and nothing else happens."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.errors import Problem, ScenarioError
from sim.schema import Scenario, load_mapping
from sim.schema.yamlfile import parse_yaml, plain
from tests.schema.base import GOOD

DATA = plain(parse_yaml(GOOD, "good"), "good")[0]


def key_paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield every key path below a value."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from key_paths(value, (*path, key))


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["alpha", "BTC", "wallet", "5%", "30s", 10**400, math.nan, [], {}, [None]]),
    st.dictionaries(
        st.sampled_from(["kind", "dist", "book", "cohort", "preset", "of", 1, 0.5, "a b"]),
        st.sampled_from([None, "index", "linear", "constant", 3, [], {}, "binance-usdm"]),
    ),
)


@settings(max_examples=600)
@given(st.sampled_from(list(key_paths(DATA))), STRANGE)
def test_any_value_loads_or_is_refused(path: tuple[Any, ...], value: Any) -> None:
    """Only ScenarioError leaves the loader, and each problem has a path, found and allowed."""
    data = copy.deepcopy(DATA)
    node = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    for problem in problems_of(data):
        assert problem.path
        assert problem.found
        assert problem.allowed
        for word in ("Input should", "nable to", "Keys should", "dict[", "function-"):
            assert word not in problem.allowed


def problems_of(data: Any) -> tuple[Problem, ...]:
    """Return what is wrong with a scenario's values; nothing if it loads."""
    try:
        assert isinstance(load_mapping(data), Scenario)
    except ScenarioError as error:
        return error.problems
    return ()
