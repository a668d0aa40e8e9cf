"""Members and others are chosen fairly."""

from __future__ import annotations

import numpy as np

from skin_synth.evaluation.privacy import candidates as chosen
from skin_synth.evaluation.privacy.candidates import choose_candidates
from tests.skin_synth.evaluation.privacy.conftest import reordered


def test_an_image_is_apart_from_its_lesion_and_a_member_from_a_random_one(train, held_out):
    found = choose_candidates(train, held_out, seed=0)
    assert found.member.sum() == len(train)
    others = ~found.member
    assert (found.apart[others] == found.groups[others]).all()
    for label in range(3):
        members = found.apart[found.member & (found.labels == label)]
        assert set(members) <= set(found.groups[others & (found.labels == label)])
        assert len(set(members)) > 8


def test_at_most_so_many_are_judged_whatever_their_order(train, held_out, monkeypatch):
    monkeypatch.setattr(chosen, "JUDGED_LIMIT", 12)
    first = choose_candidates(train, held_out, seed=0)
    again = choose_candidates(reordered(train), [reordered(each) for each in held_out], seed=0)
    assert np.bincount(first.labels[first.member]).tolist() == [12] * 3
    assert (again.images == first.images).all()
    assert (again.apart == first.apart).all()
    other = choose_candidates(train, held_out, seed=1)
    assert (other.images != first.images).any()
