"""What's sealed can be opened only for its own purpose."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.embedded import Services
from permissions import passwords
from permissions.secrets import device_token, hash_receipt, receipt_code, seal, unseal
from settings import Settings
from tests.hub import settings_for


@pytest.fixture(scope="module")
def settings(services: Services) -> Settings:
    return settings_for(services)


@pytest.mark.parametrize("text", ["", "a", "Åsa 🔑", "x" * 5000])
def test_a_sealed_text_opens_again_and_fits_into_an_address_as_it_is(settings: Settings, text: str) -> None:
    sealed = seal(settings, "page", text, "owner", 5)
    assert unseal(settings, "page", sealed, "owner", 5) == text
    assert sealed.replace("-", "a").replace("_", "a").isalnum()
    assert sealed == seal(settings, "page", text, "owner", 5)


def test_a_sealed_text_opens_for_nothing_else(settings: Settings, services: Services) -> None:
    sealed = seal(settings, "page", "secret", "owner", "5")
    assert unseal(settings, "other", sealed, "owner", "5") is None
    assert unseal(settings_for(services), "page", sealed, "owner", "5") is None
    for bound_to in ((), ("owner",), ("5", "owner"), ("owner5",), ("owner", "5", ""), ("owne", "r5")):
        assert unseal(settings, "page", sealed, *bound_to) is None
    for place in range(len(sealed)):
        other = "A" if sealed[place] != "A" else "g"
        assert unseal(settings, "page", sealed[:place] + other + sealed[place + 1 :], "owner", "5") != "secret"


@given(st.text(max_size=40))
def test_nothing_opens_that_we_did_not_seal(settings: Settings, text: str) -> None:
    assert unseal(settings, "page", text) is None


def test_the_code_of_a_receipt_is_random_or_always_the_same_of_something(
    settings: Settings, services: Services
) -> None:
    assert receipt_code(settings, b"one") == receipt_code(settings, b"one")
    codes = {receipt_code(settings, of) for of in (b"one", b"two", None, None)}
    assert len(codes | {receipt_code(settings_for(services), b"one")}) == 5
    for code in codes:
        assert re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}", code)  # 120 bits


def test_a_receipt_is_the_same_however_its_code_is_typed() -> None:
    hashed = hash_receipt("0110-ABCD-EFGH-JKMN-PQRS-TVWX")
    for typed in ("0110abcdefghjkmnpqrstvwx", "OIlo abcd.efgh jkmn/pqrs_tvwx", " 0110-ABCD-EFGHJKMN-PQRS-TVWX\n"):
        assert hash_receipt(typed) == hashed
    assert hash_receipt("0110-ABCD-EFGH-JKMN-PQRS-TVWY") != hashed


def test_a_device_token_belongs_to_one_password_and_gives_nothing_away_about_it(
    settings: Settings, services: Services
) -> None:
    stored, other = (passwords.HASHER.hash("the same password") for _ in range(2))
    one = device_token(settings, stored)
    assert one == device_token(settings, stored)
    assert one != device_token(settings, other)
    assert one != device_token(settings_for(services), stored)
    assert stored.rsplit("$", 1)[1] not in one
