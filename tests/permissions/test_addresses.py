"""The two keys that addresses are compared by: an account's and a mailbox's."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from permissions.addresses import account_key, mailbox_key, wire_address
from tests.hub import Hub


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pat@Demo.Example", "pat@demo.example"),
        ("pat@STRASSE.example", "pat@strasse.example"),
        ("pat@straße.example", "PAT@xn--strae-oqa.EXAMPLE"),
        ("pat@bu\u0308ro.example", "pat@büro.example"),
        ("pat@BÜRO.example", "pat@xn--bro-hoa.example"),
        ("pat@\uff44\uff45\uff4d\uff4f\uff0eexample", "pat@demo.example"),
        ("pat@例子。example", "pat@例子.example"),
        ("\u212aim@demo.example", "kim@demo.example"),  # the Kelvin sign, which every Unicode form turns into a K
    ],
)
def test_one_address_written_in_two_ways_has_one_key(one: str, other: str) -> None:
    assert account_key(one) == account_key(other)
    assert wire_address(one).lower() == wire_address(other).lower()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pat@straße.example", "pat@strasse.example"),
        ("pat@faß.example", "pat@fass.example"),
        ("pat@οδός.example", "pat@οδόσ.example"),
        ("groß3@example.org", "gross3@example.org"),
        ("ﬁ@example.org", "fi@example.org"),
        ("pat+tag@demo.example", "pat@demo.example"),
        ("p.at@demo.example", "pat@demo.example"),
        ("\u017fam@demo.example", "sam@demo.example"),
    ],
)
def test_different_addresses_have_different_keys(one: str, other: str) -> None:
    assert account_key(one) != account_key(other)


@pytest.mark.parametrize(
    ("typed", "reached"),
    [
        ("pat@faß.example", "pat@xn--fa-hia.example"),
        ("pat@straße.example", "pat@xn--strae-oqa.example"),
        ("pat@οδός.example", "pat@xn--pxavk3b.example"),
        ("pat@demo.example", "pat@demo.example"),
    ],
)
def test_a_domain_is_encoded_by_idna_2008(typed: str, reached: str) -> None:
    assert wire_address(typed) == account_key(typed) == reached


@pytest.mark.parametrize("local", ["pat+tag", "pat+", "Pat+a+b", "PAT", "pat++"])
def test_a_mailbox_has_one_key_whatever_the_tag(local: str) -> None:
    assert mailbox_key(f"{local}@Demo.Example") == "pat@demo.example"


def test_a_plus_at_the_start_does_not_begin_a_tag() -> None:
    assert mailbox_key("+one@demo.example") != mailbox_key("+two@demo.example")


addresses = st.from_regex(
    r"[a-zA-Z0-9+._'-]{1,12}@([a-zA-Zßü\u03c2\u03c3\u03a30-9-]{1,8}\.){1,2}(example|ORG)", fullmatch=True
)


@given(addresses | st.text(max_size=40))
@example("0+.@A.example")  # not an address, though it is one without what looks like its tag
def test_the_key_of_a_key_is_the_key_itself(address: str) -> None:
    key = account_key(address)
    assert account_key(key) == key
    assert account_key(unicodedata.normalize("NFD", key)) == key or not key.isascii()
    assert mailbox_key(key) == mailbox_key(address) == mailbox_key(mailbox_key(address))


@given(addresses)
def test_two_ways_to_write_a_valid_address_have_the_same_key(address: str) -> None:
    try:
        wire_address(address)
    except ValueError:
        return
    for other in (address.swapcase() if address.isascii() else address, unicodedata.normalize("NFD", address)):
        assert account_key(other) == account_key(address)
    assert re.fullmatch(r"[!-?A-~]+@[a-z0-9.-]+", account_key(address))


async def test_the_database_drops_the_same_tags(hub: Hub) -> None:
    keys = [
        "pat+tag@demo.example",
        "pat@demo.example",
        "pat+a+b@x.example",
        "+pat@demo.example",
        "a+@b.example",
        "none",
    ]
    sql = "SELECT regexp_replace(one, '(?<=.)[+][^@]*(?=@)', '') AS mailbox FROM unnest($1::text[]) AS one"
    assert [row["mailbox"] for row in await hub.rows(sql, keys)] == [mailbox_key(key) for key in keys]
    (index,) = await hub.rows("SELECT indexdef FROM pg_indexes WHERE indexname = 'account_mailbox'")
    assert "'(?<=.)[+][^@]*(?=@)'" in index["indexdef"]
