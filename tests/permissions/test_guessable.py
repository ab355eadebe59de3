"""Which passwords are too easy to guess."""

import pytest

from demo.seed import DEMO_PASSWORD
from permissions.guessable import _commonest, is_guessable

KNOWN = ("Mediation Logbook", "Anna-Maria Demo", "anna.demo+x@demo.example")


@pytest.mark.parametrize(
    "password",
    [
        "password", "PASSWORD", "Password1", "password123", "passwordpassword", "12345678", "1234567890", "qwertyuiop",
        "iloveyou", "trustno1", "sunshine!", "Sunshine2024", "11111111", "aaaaaaaaaaaa", "abababab", "abcabcabcabc",
        "abcdefgh", "hgfedcba", "23456789", "zyxwvutsr", "        ", "ö" * 256, "\uff50assword",
        "1234512345", "letmeinletmein",
        # What's known about the service and the account.
        "mediation logbook", "MediationLogbook1", "mediation_logbook!", "anna-maria demo", "AnnaMariaDemo2024",
        "annademox99", "anna.demo+x@demo.example", "ANNA.DEMO+X", "annamaria",
    ],
)  # fmt: skip
def test_passwords_that_are_guessed_first_are_refused(password: str) -> None:
    assert is_guessable(password, *KNOWN)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "another good password", "kühler Abend am Fluss", "xk9!vq2#", "lantern88213",
        "zebra harbour", "調停調停の日誌", "0c9f6e2a", "anna likes the sea", "password is what I forget", DEMO_PASSWORD,
        "michael7283746501", "a" * 20 + "bcd",
    ],
)  # fmt: skip
def test_passwords_that_are_hard_to_guess_are_accepted_whatever_is_in_them(password: str) -> None:
    assert not is_guessable(password, *KNOWN)


def test_the_list_has_over_3000_passwords_that_are_long_enough_to_choose() -> None:
    assert sum(len(one) >= 8 for one in _commonest()) > 3000
    assert all(is_guessable(one) for one in _commonest())
