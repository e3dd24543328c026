import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.core.features import Features


@given(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, min_size=1), st.data())
def test_rows_lead_back_to_the_ids(ids: list[str], data: st.DataObject) -> None:
    features = Features(ids, np.zeros((len(ids), 2)))
    wanted = data.draw(st.lists(st.sampled_from(ids)))
    assert features.ids[features.rows(wanted)].tolist() == wanted


def test_absent_and_double_ids_are_named() -> None:
    with pytest.raises(InputError, match=r"'z' \(and 1 more"):
        Features(["a", "b"], np.zeros((2, 1))).rows(["a", "z", "y"])
    with pytest.raises(InputError, match="'z'"):
        Features([], np.zeros((0, 1))).rows(["z"])
    with pytest.raises(InputError, match="'a' stands twice"):
        Features(["a", "b", "a"], np.zeros((3, 1)))
    with pytest.raises(InputError, match="2 ids do not fit"):
        Features(["a", "b"], np.zeros((3, 1)))


def test_features_side_by_side_follow_the_first_ids() -> None:
    left = Features(["a", "b"], [[1], [2]])
    right = Features(["b", "c", "a"], [[20], [30], [10]])
    assert Features.concatenate([left, right]).vectors.tolist() == [[1, 10], [2, 20]]
    with pytest.raises(InputError, match="'c'"):
        Features.concatenate([right, left])
    with pytest.raises(InputError, match="nothing"):
        Features.concatenate([])
