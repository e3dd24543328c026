import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import EncoderError, UnknownNameError
from lookalike.encoders.load import encoder_names, load_pixels
from lookalike.encoders.onnx import OnnxEncoder, pool

MakeNetwork = Callable[..., Path]


def pictures(count: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_features_equal_a_plain_convolution(network: Path) -> None:
    import onnx

    pixels = pictures(2)
    kernel = onnx.numpy_helper.to_array(onnx.load(network).graph.initializer[0])
    normalised = (pixels / 255 - 0.5) / 0.25
    expected = np.zeros((2, 8))
    for n in range(2):
        for y in range(0, 32, 8):
            for x in range(0, 32, 8):
                patch = normalised[n, y : y + 8, x : x + 8].transpose(2, 0, 1)
                expected[n] += np.maximum((kernel * patch).sum((1, 2, 3)), 0) / 16
    np.testing.assert_allclose(OnnxEncoder(network).forward(pixels), expected, rtol=1e-4)


def test_the_batch_does_not_change_a_feature(network: Path) -> None:
    encoder, pixels = OnnxEncoder(network), pictures(5)
    one_by_one = np.concatenate([encoder.forward(pixels[[i]]) for i in range(5)])
    np.testing.assert_allclose(encoder.forward(pixels), one_by_one, rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_batch_fixed_in_the_file_is_filled_up(make_network: MakeNetwork, tmp_path: Path, batch: int) -> None:
    free = OnnxEncoder(make_network(tmp_path / "free.onnx"))
    fixed = OnnxEncoder(make_network(tmp_path / "fixed.onnx", batch=batch))
    np.testing.assert_allclose(fixed.forward(pictures(6)), free.forward(pictures(6)), rtol=1e-5)


def test_maps_and_tokens_are_pooled(make_network: MakeNetwork, tmp_path: Path) -> None:
    vector = OnnxEncoder(make_network(tmp_path / "vector.onnx")).forward(pictures(3))
    for output in ("map", "tokens"):
        pooled = OnnxEncoder(make_network(tmp_path / f"{output}.onnx", output=output)).forward(pictures(3))
        np.testing.assert_allclose(pooled, vector, rtol=1e-4)
    card = {"input_size": 32, "mean": [0.5] * 3, "std": [0.25] * 3, "pool": "first"}
    first = OnnxEncoder(make_network(tmp_path / "first.onnx", output="tokens", card=card))
    assert not np.allclose(first.forward(pictures(3)), vector)


def test_maps_with_channels_last_are_averaged_over_space() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 4, 3, 5))
    np.testing.assert_allclose(pool(maps, "average", channels_last=True), maps.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(pool(maps, "average"), maps.mean(axis=(2, 3)), rtol=1e-6)


def test_the_fingerprint_follows_weights_in_another_file(make_network: MakeNetwork, tmp_path: Path) -> None:
    import onnx

    path = make_network(tmp_path / "net[1].onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=1024)
    before = OnnxEncoder(path).spec.fingerprint
    (tmp_path / "unrelated.bin").write_bytes(b"1")
    assert OnnxEncoder(path).spec.fingerprint == before
    data = bytearray((tmp_path / "weights.bin").read_bytes())
    data[3] ^= 1
    (tmp_path / "weights.bin").write_bytes(data)
    assert OnnxEncoder(path).spec.fingerprint != before


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({}, "input_size must be"),
        ({"input_size": 32}, "mean must be three numbers"),
        ({"input_size": 32, "mean": [0.5] * 3, "std": [0, 1, 1]}, "std must be three positive numbers"),
        ({"input_size": 32, "mean": [123.0] * 3, "std": [58.0] * 3}, "divide .* by 255"),
        ({"input_size": 48, "mean": [0.5] * 3, "std": [0.2] * 3}, "height 32, but input_size of its card says 48"),
        ({"input_size": 32, "mean": [0.5] * 3, "std": [0.2] * 3, "resize": "zoom"}, "resize must be squash or crop"),
        ({"input_size": 32, "mean": [0.5] * 3, "std": [0.2] * 3, "output": "nope"}, "no output 'nope'"),
        ({"input_size": 32, "mean": [0.5] * 3, "std": [0.2] * 3, "temperature": 0}, "temperature must be a positive"),
        ([1], "a card is a JSON object"),
    ],
)
def test_a_card_that_does_not_fit_is_one_clear_line(
    make_network: MakeNetwork, tmp_path: Path, card: object, message: str
) -> None:
    path = make_network(tmp_path / "net.onnx", card=card)
    with pytest.raises(EncoderError, match=message) as caught:
        OnnxEncoder(path)
    assert "\n" not in str(caught.value)


def test_a_free_input_size_that_the_network_refuses_is_named(make_network: MakeNetwork, tmp_path: Path) -> None:
    card = {"input_size": 4, "mean": [0.5] * 3, "std": [0.2] * 3}
    path = make_network(tmp_path / "net.onnx", size=None, card=card)
    with pytest.raises(EncoderError, match="does not take pictures of 4 x 4 pixels"):
        OnnxEncoder(path)


@pytest.mark.parametrize("name", ["net.json", "net.onnx.json", "weights.json"])
def test_a_card_is_found_under_three_names(make_network: MakeNetwork, tmp_path: Path, name: str) -> None:
    path = make_network(tmp_path / "net.onnx")
    card = json.loads((tmp_path / "net.json").read_text())
    (tmp_path / "net.json").unlink()
    (tmp_path / name).write_text(json.dumps({"net.onnx": card} if name == "weights.json" else card))
    assert OnnxEncoder(path).spec.input_size == (32, 32)


def test_without_a_card_the_error_shows_what_to_write(make_network: MakeNetwork, tmp_path: Path) -> None:
    path = make_network(tmp_path / "net.onnx")
    path.with_suffix(".json").unlink()
    with pytest.raises(EncoderError, match=r'write net.json beside it, such as \{"input_size"'):
        OnnxEncoder(path)


def test_what_is_not_a_network_is_one_clear_line(tmp_path: Path, make_network: MakeNetwork) -> None:
    path = make_network(tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EncoderError, match="not a network that ONNX Runtime can load") as caught:
        OnnxEncoder(path)
    assert "\n" not in str(caught.value)


def test_the_fingerprint_follows_weights_and_preparation(make_network: MakeNetwork, tmp_path: Path) -> None:
    card = {"input_size": 32, "mean": [0.5] * 3, "std": [0.2] * 3}
    prints = [
        OnnxEncoder(make_network(tmp_path / "a.onnx")).spec.fingerprint,
        OnnxEncoder(make_network(tmp_path / "b.onnx", dim=9)).spec.fingerprint,
        OnnxEncoder(make_network(tmp_path / "c.onnx", card=card)).spec.fingerprint,
    ]
    assert len(set(prints)) == 3
    assert OnnxEncoder(make_network(tmp_path / "d.onnx")).spec.fingerprint == prints[0]


def test_names_and_files_that_are_not_there() -> None:
    with pytest.raises(UnknownNameError, match="did you mean classic"):
        load_pixels("clasic")
    with pytest.raises(EncoderError, match="there is no file"):
        load_pixels("onnx:nowhere.onnx")
    with pytest.raises(EncoderError, match="onnx needs a file"):
        load_pixels("onnx")
    assert {"classic", "onnx:PATH"} <= set(encoder_names())


def test_weights_name_the_file_as_well(network: Path) -> None:
    by_name, by_weights = load_pixels(f"onnx:{network}"), load_pixels("onnx", weights=network)
    assert by_name.spec == by_weights.spec
    with pytest.raises(EncoderError, match="two files"):
        load_pixels(f"onnx:{network}", weights=network)


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_a_device_that_is_not_there_is_named(network: Path, device: str) -> None:
    with pytest.raises(EncoderError, match=device):
        load_pixels(f"onnx:{network}", device=device)


def test_the_real_networks_load(shared: Path) -> None:
    for name, dim in (("mobilenetv2_gluon_imagenet.onnx", 1280), ("squeezenet_bn_places365.onnx", 512)):
        encoder = OnnxEncoder(shared / "weights" / name)
        assert encoder.forward(pictures(2, 224)).shape == (2, dim)


def test_padding_before_a_pooling_stays_zeros(tmp_path: Path) -> None:
    """ONNX Runtime would fuse the two as if the rim were minus infinity; a negative picture shows it."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Neg", ["x"], ["negative"]),
            helper.make_node("Pad", ["negative", "pads"], ["padded"], mode="constant"),
            helper.make_node("MaxPool", ["padded"], ["y"], kernel_shape=[10, 10]),
        ],
        "rim",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 1, 1])],
        [helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1])],
    )
    path = tmp_path / "rim.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    path.with_suffix(".json").write_text('{"input_size": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}')
    found = OnnxEncoder(path).forward(np.full((1, 8, 8, 3), 200, np.uint8))
    np.testing.assert_array_equal(found, np.zeros((1, 3), np.float32))
