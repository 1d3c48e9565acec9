"""Many texts in one block of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.texts import Texts

SOME = ["a1", "", "Ω-7", "account-000000012", "\U0001f600", "a1"]


@given(st.lists(st.text()))
def test_texts_come_back_as_they_were(texts):
    kept = Texts(texts)
    assert len(kept) == len(texts)
    assert list(kept) == texts
    assert [kept[index] for index in range(len(texts))] == texts


@given(st.lists(st.lists(st.text(max_size=3), max_size=4), max_size=4))
def test_joined_lists_are_one_list(lists):
    everything = [text for texts in lists for text in texts]
    assert Texts.join([Texts(texts) for texts in lists]) == Texts(everything)


def test_a_long_list_is_read_in_order():
    texts = [f"t{number}" for number in range(10_000)]
    assert list(Texts(texts)) == texts


def test_half_a_pair_of_surrogates_is_a_text_too():
    assert list(Texts(["\ud83d", "a"])) == ["\ud83d", "a"]


def test_lists_with_the_same_letters_cut_elsewhere_differ():
    assert Texts(["ab", "c"]) != Texts(["a", "bc"])
    assert Texts(["ab"]) != ["ab"]


@pytest.mark.parametrize("index", [-1, 6])
def test_an_index_outside_the_list_is_refused(index):
    with pytest.raises(IndexError, match="among 6"):
        Texts(SOME)[index]
