"""What people write for a source, and what is meant by it."""

from pathlib import Path

import pytest

from lookalike.core.errors import InputError
from lookalike.core.source_names import SourceName, source_name
from lookalike.images.sources.opening import open_source, settled


@pytest.mark.parametrize(
    ("text", "kind", "base", "pattern"),
    [
        ("s3://b/photos/", "pictures", "s3://b/photos", ""),
        ("s3://b", "pictures", "s3://b", ""),
        ("s3://b/in/x.TAR", "tar", "s3://b/in", "x.TAR"),
        ("s3://b/x-{000..009}.tar", "tar", "s3://b", "x-{000..009}.tar"),
        ("s3://b/*/p-{a,b}.parquet", "parquet", "s3://b", "*/p-{a,b}.parquet"),
        ("/no/such/**/*.parquet", "parquet", "/no/such", "**/*.parquet"),
        ("/no/such/x.tar", "tar", "/no/such", "x.tar"),
        ("/no/such/photos", "pictures", "/no/such/photos", ""),
    ],
)
def test_a_name_is_read_and_written_back(text: str, kind: str, base: str, pattern: str) -> None:
    named = source_name(text)
    assert named == SourceName(kind, base, pattern)  # type: ignore[arg-type]
    assert source_name(named.text) == named


def test_a_path_made_of_an_address_is_the_address() -> None:
    assert source_name(Path("s3://b/x.tar")).text == "s3://b/x.tar"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x.tar.gz", "is packed"),
        ("s3://b/x.zip", "is packed"),
        ("https://x/y.tar", "https:// cannot be used"),
        ("x-{0..999999}.tar", "names more than 100,000 files"),
        ("{0..999}{0..999}.tar", "names more than 100,000 files"),
    ],
)
def test_what_cannot_be_meant_is_said(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        assert source_name(text).names is None


def test_patterns_are_those_of_shells() -> None:
    assert source_name("/x/{b,a}-{9..11}.tar").names == (
        "a-10.tar", "a-11.tar", "a-9.tar", "b-10.tar", "b-11.tar", "b-9.tar",
    )  # fmt: skip
    within, below = source_name("/x/*-{0..1}.tar"), source_name("/x/**/*.tar")
    assert [within.fits(path) for path in ("a-0.tar", "a-2.tar", "in/a-0.tar", "a-0.tar.tar")] == [True, *[False] * 3]
    assert [below.fits(path) for path in ("a.tar", "in/deep/a.tar", "a.tarx")] == [True, True, False]


def test_a_folder_is_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "rows.parquet"
    (folder / "deep").mkdir(parents=True)
    assert settled(source_name(folder)) == SourceName("pictures", str(folder))
    (folder / "deep" / "0.parquet").write_bytes(b"")
    assert settled(source_name(folder)) == SourceName("parquet", str(folder), "**/*.parquet")
    (folder / "deep" / "0.png").write_bytes(b"")
    assert settled(source_name(folder)).kind == "pictures"
    (tmp_path / "none" / ".thumbs").mkdir(parents=True)
    (tmp_path / "none" / ".thumbs" / "a.png").write_bytes(b"")
    (tmp_path / "none" / "a.tar").write_bytes(b"")
    assert settled(source_name(tmp_path / "none")).kind == "tar"
    with pytest.raises(InputError, match=r"patterns are for \.tar and \.parquet files: give a folder"):
        settled(source_name(folder / "*.jpg"))
    with pytest.raises(InputError, match=r"is a file: give a folder"):
        settled(source_name(folder / "deep" / "0.png"))


def test_parts_are_told_from_other_places(tmp_path: Path) -> None:
    for name in ("s-0.tar", "s-1.tar", "in/s-2.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    whole = open_source(tmp_path / "**/*.tar")
    assert whole.inside(tmp_path) == whole.inside(tmp_path / "**/*.tar") == ("",)
    assert whole.inside(tmp_path / "in") == ("in/",)
    assert whole.inside(tmp_path / "s-{0..1}.tar") == ("s-0.tar/", "s-1.tar/")
    assert whole.inside(tmp_path / "*.tar") == ("s-0.tar/", "s-1.tar/")
    for other in (tmp_path.parent, tmp_path / "x.parquet", "s3://b/in"):
        with pytest.raises(InputError, match="is not inside"):
            whole.inside(other)
    some = open_source(tmp_path / "s-{0..1}.tar")
    with pytest.raises(InputError, match="is not inside"):
        some.inside(tmp_path / "s-{0..2}.tar")
    remote = open_source("s3://b/photos")
    assert (remote.inside("s3://b/photos"), remote.inside("s3://b/photos/a")) == (("",), ("a/",))
    with pytest.raises(InputError, match="s3://b/photos2 is not inside s3://b/photos"):
        remote.inside(Path("s3://b/photos2"))
