"""Files of weights: every way they are written, and what is refused."""

import argparse
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from torch import nn  # noqa: E402

from lookalike.core.errors import EncoderError  # noqa: E402
from lookalike.encoders.state import load_state, read_state  # noqa: E402


class Code:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def saved(tmp_path: Path, content: object, name: str = "net.pth") -> Path:
    torch.save(content, tmp_path / name)
    return tmp_path / name


def assert_same(left: nn.Module, right: nn.Module) -> None:
    for key, value in left.state_dict().items():
        torch.testing.assert_close(right.state_dict()[key], value)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".pth.tar", ".pyth", ".bin", ".safetensors"])
def test_every_kind_of_file_gives_the_same_tensors(tmp_path: Path, suffix: str) -> None:
    state, path = network().state_dict(), tmp_path / f"net{suffix}"
    if suffix == ".safetensors":
        safetensors_torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=suffix != ".pth.tar")
    read = read_state(path)
    assert set(read) == set(state)
    assert all(torch.equal(read[key], value) for key, value in state.items())


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state", "teacher", "model_state_dict"])
def test_a_checkpoint_is_opened_down_to_its_network(tmp_path: Path, wrapper: str) -> None:
    rest = {"epoch": 3, "best": np.float64(0.7), "args": argparse.Namespace(lr=0.1), "optimizer": {"state": {}}}
    path = saved(tmp_path, {**rest, wrapper: {f"module.{k}": v for k, v in network().state_dict().items()}})
    fresh = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    load_state(fresh, read_state(path), path)
    assert_same(network(), fresh)


@pytest.mark.parametrize("depth", [0, 2, 4])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path, depth: int) -> None:
    mark = tmp_path / "it ran"
    content = {"state_dict": {"weight": torch.ones(1)}, "hook": Code(mark)}
    path = tmp_path / "net.pth"
    if depth:
        path.write_bytes(pickle.dumps(content, protocol=depth))
    else:
        torch.save(content, path)
    with pytest.raises(EncoderError) as caught:
        read_state(path)
    assert not mark.exists()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_pickle_asks_for_is_named(tmp_path: Path) -> None:
    class Ask:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, ("true",)

    with pytest.raises(EncoderError, match=r"asks for (posix|nt)\.system.*save its state_dict\(\) as safetensors"):
        read_state(saved(tmp_path, {"weight": Ask()}))
    with pytest.raises(EncoderError, match=r"asks for torch\.nn\.modules"):
        read_state(saved(tmp_path, network()))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_program_is_refused(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(tmp_path / "net.pt"))
    with pytest.raises(EncoderError, match="a TorchScript archive"):
        read_state(tmp_path / "net.pt")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 300, -5])
def test_a_torn_file_is_one_clear_line(tmp_path: Path, suffix: str, keep: int) -> None:
    whole, torn = tmp_path / f"whole{suffix}", tmp_path / f"torn{suffix}"
    if suffix == ".pth":
        torch.save(network().state_dict(), whole)
    else:
        safetensors_torch.save_file(network().state_dict(), whole)
    torn.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(EncoderError, match=f"torn{suffix}: not a ") as caught:
        read_state(torn)
    assert "\n" not in str(caught.value)


def test_files_without_tensors_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="there is no file"):
        read_state(tmp_path / "none.pth")
    with pytest.raises(EncoderError, match="holds no tensors by name, but epoch, lr"):
        read_state(saved(tmp_path, {"epoch": 3, "lr": 0.1}))
    with pytest.raises(EncoderError, match="holds a Tensor"):
        read_state(saved(tmp_path, torch.ones(3)))


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone.", "visual."])
def test_prefixes_casts_counters_and_classifiers(tmp_path: Path, prefix: str) -> None:
    state = {f"{prefix}{k}": v.half() for k, v in network().state_dict().items() if "batches" not in k}
    state[f"{prefix}fc.weight"] = torch.zeros(9, 9)
    if prefix:
        state["text.weight"] = torch.zeros(3)  # another part of the file
    fresh = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    load_state(fresh, state, tmp_path)
    assert fresh[0].weight.dtype == torch.float32
    torch.testing.assert_close(fresh[0].weight, network()[0].weight.half().float())


def test_what_does_not_fit_is_counted_and_named() -> None:
    state = network().state_dict()
    del state["1.weight"], state["1.running_mean"]
    state["0.weight"] = torch.zeros(4, 3, 3, 3)
    state["2.weight"] = torch.zeros(1)
    with pytest.raises(EncoderError) as caught:
        load_state(network(), state, Path("net.pth"))
    assert str(caught.value) == (
        "net.pth: does not fit the network: 2 of its 7 tensors are missing (1.weight, 1.running_mean); "
        "1 have another shape (0.weight is 4x3x3x3, not 4x3x1x1); 1 are too many (2.weight)"
    )


def test_a_deeper_network_than_asked_for_is_refused_unless_the_part_was_dropped() -> None:
    state = {**network().state_dict(), "2.0.weight": torch.zeros(1)}
    with pytest.raises(EncoderError, match="1 are too many"):
        load_state(network(), state, Path("net.pth"))
    load_state(network(), state, Path("net.pth"), surplus=("2",))


def test_a_conversion_is_tried_only_where_names_do_not_fit() -> None:
    calls = []

    def convert(state: dict[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
        calls.append(module)
        return {key.replace("norm", "1").replace("conv", "0"): value for key, value in state.items()}

    state = network().state_dict()
    fresh = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    load_state(fresh, state, Path("net.pth"), convert=convert)
    assert not calls
    old = {key.replace("0.", "conv.", 1).replace("1.", "norm.", 1): value for key, value in state.items()}
    fresh = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    load_state(fresh, old, Path("net.pth"), convert=convert)
    assert calls == [fresh]
    assert_same(network(), fresh)

    def broken(state: dict[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
        raise KeyError("blocks")

    with pytest.raises(EncoderError, match="does not fit the network: 6 of its 7"):
        load_state(fresh, {"x": torch.ones(1)}, Path("net.pth"), convert=broken)
