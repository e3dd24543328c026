"""Things: the connected components of pairs, against a union of sets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.judgments.pairs import Pairs

IMAGES = st.integers(0, 12)
SOME = st.lists(st.tuples(IMAGES, IMAGES).filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=20)


def by_union(pairs: Pairs) -> list[int]:
    """Join sets until no pair connects two."""
    sets = [{str(image)} for image in pairs.ids]
    for left, right in zip(pairs.left, pairs.right, strict=True):
        one, other = (next(part for part in sets if side in part) for side in (left, right))
        if one is not other:
            sets.remove(other)
            one |= other
    sets.sort(key=min)
    return [next(number for number, part in enumerate(sets) if image in part) for image in pairs.ids]


@settings(max_examples=60, deadline=None)
@given(SOME)
def test_things_are_connected_images(drawn: list[tuple[int, int]]) -> None:
    pairs = Pairs.from_ids([f"{left:02}" for left, _ in drawn], [f"{right:02}" for _, right in drawn])
    things = pairs.things()
    assert things.tolist() == by_union(pairs)
    groups = pairs.groups()  # the same parts, of the pairs
    of_pairs = things[pairs.left_rows]
    assert [(one == other) for one in groups for other in groups] == [
        (one == other) for one in of_pairs for other in of_pairs
    ]


def test_a_long_chain_is_one_thing() -> None:
    names = [f"{number:05}" for number in range(20_000)]
    pairs = Pairs.from_ids(names[:-1], names[1:])
    assert not pairs.things().any()
    apart = pairs.take((pairs.left_rows != 9_999) & (pairs.left_rows != 15_000))
    assert [int((apart.things() == thing).sum()) for thing in range(3)] == [10_000, 5_001, 4_999]


def test_images_in_no_pair_are_things_of_their_own() -> None:
    pairs = Pairs.from_ids(["a", "c"], ["b", "d"])
    assert pairs.take([1]).things().tolist() == [0, 1, 2, 2]
