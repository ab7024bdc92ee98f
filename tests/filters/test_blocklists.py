"""Blocklists: what is listed is found and nothing else, whatever the packing; against a plain set."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.blocklists import _hash_all, digest_files, list_files, load_blocklist
from filters.urls import parse_url
from gristmill.base.errors import UserError


def write(folder: Path, lists: dict[str, str], packed: bool = False) -> Path:
    for name, text in lists.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if packed:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text, encoding="utf-8", newline="")
    return folder


LISTS = {
    "adult/domains": "bad.example\n# a comment\n\n sub.fine.example \r\nBÜCHER-bad.example\n10.0.0.1\n"
    "worse.example.",
    "adult/urls": "fine.example/dir/page\nhttp://www.fine.example/Other/?q=1\nexample.org/~me/\n",
    "gambling/domains": "bad.example\nbets.example\n",
    "adult/expressions": "(^|[-.])sex",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://bad.example/", ("adult", "host")),
        ("https://a.b.bad.example/x", ("adult", "domain")),
        ("http://notbad.example/", None),
        ("http://fine.example/", None),
        ("http://sub.fine.example/", ("adult", "host")),
        ("http://www.sub.fine.example/", ("adult", "domain")),
        ("http://fine.example/dir/page", ("adult", "url")),
        ("http://www.fine.example:8080/DIR/page/below?x=1", ("adult", "url")),
        ("http://fine.example/dir/pages", None),
        ("http://fine.example/other?q=1", ("adult", "url")),
        ("http://fine.example/other", None),
        ("http://example.org/%7Eme/x", ("adult", "url")),
        ("http://xn--bcher-bad-q9a.example/", ("adult", "host")),
        ("http://bücher-bad.example/", ("adult", "host")),
        ("http://bets.example./", ("gambling", "host")),
        ("http://worse.example/", ("adult", "host")),
        ("http://10.0.0.1/", ("adult", "host")),
        ("http://10.0.0.2/", None),
        ("http://example/", None),
        ("not an address", None),
    ],
)
def test_what_is_listed_is_found(
    tmp_path: Path, packed: bool, url: str, found: tuple[str, str] | None
) -> None:
    files = list_files([write(tmp_path, LISTS, packed)], None)
    assert load_blocklist(tuple(files)).match([None, parse_url(url), None]) == [None, found, None]


def test_categories_count_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path, LISTS)
    url = parse_url("http://bad.example/")
    for chosen, found in ((["gambling", "adult"], "gambling"), (["adult"], "adult"), (None, "adult")):
        assert load_blocklist(tuple(list_files([folder], chosen))).match([url]) == [(found, "host")]
    assert load_blocklist(tuple(list_files([folder], ["gambling"]))).match(
        [parse_url("http://sub.fine.example")]
    ) == [None]


def test_packing_and_place_do_not_change_what_lists_say(tmp_path: Path) -> None:
    digests = {
        digest_files(list_files([write(tmp_path / str(packed), LISTS, packed)], None))
        for packed in (False, True)
    }
    assert len(digests) == 1
    other = list_files([write(tmp_path / "other", LISTS | {"adult/domains": "x.example"})], None)
    assert digest_files(other) not in digests


def test_a_folder_with_the_lists_in_it_is_a_category(tmp_path: Path) -> None:
    files = list_files([write(tmp_path / "mine", {"domains": "a.example\n"})], None)
    assert load_blocklist(tuple(files)).match([parse_url("http://a.example")]) == [("mine", "host")]


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder of blocklists"):
        list_files([tmp_path / "nowhere"], None)
    with pytest.raises(UserError, match="holds no blocklist"):
        list_files([tmp_path], None)
    with pytest.raises(UserError, match=r"no category 'adlut'.*did you mean 'adult'"):
        list_files([write(tmp_path, LISTS)], ["adlut"])
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/domains.gz").write_bytes(gzip.compress(b"a.example\n" * 1000)[:30])
    with pytest.raises(UserError, match=r"domains\.gz: cannot read the blocklist"):
        digest_files(list_files([tmp_path / "cut"], None))


NAMES = st.from_regex(r"[a-c]{1,2}(\.[a-c]{1,2}){1,3}", fullmatch=True)


@given(st.lists(NAMES, max_size=30), st.lists(NAMES, max_size=10))
@settings(max_examples=100, deadline=None)
def test_hosts_are_found_as_in_a_plain_set(
    tmp_path_factory: pytest.TempPathFactory, listed: list[str], asked: list[str]
) -> None:
    folder = write(tmp_path_factory.mktemp("lists"), {"x/domains": "\n".join(listed)})
    blocklist = load_blocklist(tuple(list_files([folder], None)))
    plain = set(listed)
    for host, found in zip(
        asked, blocklist.match([parse_url(f"http://{host}") for host in asked]), strict=True
    ):
        labels = host.split(".")
        parents = [".".join(labels[first:]) for first in range(len(labels) - 1)]
        assert (found is not None) == any(parent in plain for parent in parents)
        assert (found == ("x", "host")) == (host in plain)


def test_large_lists_have_no_collisions_and_are_read_in_chunks(tmp_path: Path) -> None:
    names = [f"site{number}.example{number % 7}.org" for number in range(300_000)]
    folder = write(tmp_path, {"many/domains": "\n".join(names)})
    blocklist = load_blocklist(tuple(list_files([folder], None)))
    assert len(blocklist.domains.hashes) == len(set(names))
    assert (blocklist.domains.find(_hash_all(names)) == 0).all()
    assert (blocklist.domains.find(_hash_all([f"x{name}" for name in names])) == -1).all()
