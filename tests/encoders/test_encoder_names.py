"""Names of networks: taken apart, put together, refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import EncoderError
from lookalike.encoders.name import EncoderName, parse_name

LAYERS = st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[0-9]{1,2}){0,2}", fullmatch=True)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "norm": st.just("published"),
        "pool": st.just("gem"),
        "tokens": st.just("mean"),
        "drop": st.lists(LAYERS, min_size=1, max_size=2).map(tuple),
        "size": st.integers(1, 4096),
        "resize": st.sampled_from(["squash", "crop"]),
        "precision": st.sampled_from(["full", "half"]),
        "bn_eps": st.floats(0, 1, allow_nan=False),
        "flag": st.booleans(),
        "pad_type": st.sampled_from(["same", "valid"]),
        "img_size": st.lists(st.integers(1, 9), min_size=2, max_size=2),
    },
)


@settings(max_examples=50)
@given(
    layers=st.lists(LAYERS, unique=True, max_size=4).map(tuple),
    options=OPTIONS,
    weights=st.none() | st.from_regex(r"/[a-z@\[\],=]{1,12}\.pth", fullmatch=True).map(Path),
)
def test_a_name_written_and_read_again_is_the_same(
    layers: tuple[str, ...], options: dict[str, object], weights: Path | None
) -> None:
    name = EncoderName("timm", "vit_base_patch16_224.dino", layers, options, weights)
    again = parse_name(str(name))
    assert again == name
    # The order in which options are written does not matter: one encoder has one name.
    assert str(parse_name(str(again))) == str(again)


def test_options_are_written_in_one_order_and_defaults_left_out() -> None:
    written = "timm:resnet18[zero_init_last=false, pool=gem,layer4 ,tokens=class, norm=corrected,act_layer=gelu]"
    assert str(parse_name(written)) == "timm:resnet18[layer4,pool=gem,act_layer=gelu,zero_init_last=false]"
    assert parse_name(written).builder == {"zero_init_last": False, "act_layer": "gelu"}
    name = parse_name("timm:efficientnet_b4[pad_type=same,bn_eps=0.001,drop=blocks.6.1]")
    assert name.drop == ("blocks.6.1",)
    assert name.builder == {"pad_type": "same", "bn_eps": 0.001}
    assert (name.pool, name.tokens, name.norm) == ("average", "class", "corrected")


def test_weights_become_an_absolute_path_and_stand_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = parse_name("openclip:ViT-B-32/openai[last:2]@nets/a [1]@b.pt")
    assert (name.family, name.model, name.layers) == ("openclip", "ViT-B-32/openai", ("last:2",))
    assert name.weights == tmp_path.resolve() / "nets" / "a [1]@b.pt"
    assert name.recipe == "openclip:ViT-B-32/openai[last:2]"
    with pytest.raises(EncoderError, match="two files for one encoder"):
        name.using(Path("other.pt"))
    assert str(parse_name("timm:resnet18").using(Path("r.pth"))) == f"timm:resnet18@{tmp_path.resolve() / 'r.pth'}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18", "write FAMILY:MODEL"),
        (":resnet18", "write FAMILY:MODEL"),
        ("timm:", "write FAMILY:MODEL"),
        ("timm:resnet18[layer4", "not closed"),
        ("timm:resnet18[layer4]x", "after the model come"),
        ("timm:resnet18@", "after the model come"),
        ("timm:resnet18[pool=max]", "pool is average or gem"),
        ("timm:vit[tokens=all]", "tokens is class or mean"),
        ("timm:vit[norm=no]", "norm is corrected or published"),
        ("timm:vit[size=-3]", "size is a number of pixels"),
        ("timm:vit[pool=gem,pool=gem]", "stands twice"),
        ("timm:vit[=3]", "has no key"),
        ("timm:vit[blocks.1,blocks.1]", "a layer stands twice"),
        ("timm:vit[last:2,blocks.1]", "last:N stands alone"),
    ],
)
def test_what_is_not_a_name_is_one_clear_line(name: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message) as caught:
        parse_name(name)
    assert "\n" not in str(caught.value)
