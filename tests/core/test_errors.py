import pickle

import pytest

from lookalike.core.errors import ImageDecodeError, LookalikeError, UnknownNameError
from lookalike.core.registry import Registry


def test_a_decode_error_crosses_a_process_boundary_whole() -> None:
    error = ImageDecodeError("cat.jpg", "truncated")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.reason, str(copy)) == ("cat.jpg", "truncated", "cat.jpg: truncated")
    assert isinstance(copy, LookalikeError)


def test_an_unknown_name_lists_what_there_is_when_nothing_is_near() -> None:
    assert "known: classic, onnx" in str(UnknownNameError("encoder", "zzz", ["onnx", "classic"]))


def test_a_registry_takes_a_name_once_and_lists_by_pattern() -> None:
    registry = Registry[int]("number")
    registry.register("one")(1)
    registry.register("two")(2)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("one")(3)
    assert registry.match("t*") == ["two"]
    assert len(registry) == 2
    with pytest.raises(UnknownNameError, match="did you mean one"):
        registry["onne"]
