"""Folding: every name is found by itself, by each of its words and by its fold; and each fold is final."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.folding import WORD_LENGTH, fold, says_enough, searched, words
from resolvers.validation import MAX_NAME, Check

# Letters, marks and signs that are easily lost, besides all the others.
TRICKY = (
    "'’‘ʼ`´-‑–.·,&|!:*()<>\\\"@ \u00a0\u3000łŁøØđĐæÆßẞıİiIéÉç\u0301\u0323\u200d\u00ad"
    "李娜王ヴア゙がｶﾞ김민가สมชายประिप्रियाक़אבَّٱ١²Ⅷﬁ😀\ufe0f"
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
TYPED = TEXTS | st.text(TRICKY, max_size=30)


def is_a_name(text: str) -> bool:
    check = Check()
    check.name("name", text)
    return not check._problems


NAMES = (TYPED | st.text(TRICKY, min_size=MAX_NAME, max_size=MAX_NAME)).filter(is_a_name)


def finds(search: str, name: str) -> bool:
    """Whether a search finds a name, as the database decides it."""
    stored, asked = words(name), searched(search)
    return bool(asked) and all(
        any(all(any(word.startswith(one) for word in stored) for one in spelling) for spelling in spellings)
        for spellings in asked
    )


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        (" \n\u3000", ""),
        ("O’Brien", "o'brien"),
        ("Oʼbrien", "o'brien"),
        ("Jean‑Luc", "jean-luc"),
        ("Anna–Lena", "anna-lena"),
        ("Łódź lease", "lodz lease"),
        ("Straße", "strasse"),
        ("STRAẞE", "strasse"),
        ("Café Rôle", "cafe role"),
        ("ΟΔΟΣ Σάμου, οδός", "οδοσ σαμου, οδοσ"),
        ("Øster Ærø, Đakovo, Þór", "oster aero, dakovo, thor"),
        ("IŞIK İzmir ışık", "isik izmir isik"),
        ("Ёлка", "елка"),
        ("two \n\t\u00a0spaces ", "two spaces"),
        ("so\u00adft \u200bnot\ufeffhing", "soft nothing"),
        ("“quoted” …", '"quoted" ...'),
        ("ｶﾞ Ⅷ ﬁ ② ١٢", "ガ viii fi 2 12"),
        ("प्रिया नमूना", "प्रिया नमूना"),
        ("น้ำใจ", "น้ําใจ"),
        ("שָׁלוֹם مُحَـمَّد أحمد", "שלום محمد احمد"),
        ("葛\U000e0100城", "葛城"),
        ("김민준", "김민준"),
        ("a¨b", "a¨b"),
    ],
)
def test_a_fold_says_what_people_would_call_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("name", "found_by"),
    [
        ("O’Brien Example", ["obrien", "brien", "example"]),
        ("J.Sample", ["jsample", "sample"]),
        ("Mary-Ann.Probe", ["maryannprobe", "annprobe", "probe"]),
        ("Marcel·la", ["marcella", "la"]),
        ("प्रिया नमूना", ["प्रिया", "नमूना"]),
        ("山田 太郎", ["山田太郎", "田太郎", "太郎", "郎"]),
        ("Anna 李娜", ["anna", "李娜", "娜"]),
        ("李Anna", ["李anna", "anna"]),
        ("♥ ♥", ["♥"]),
        ("♥ Anna", ["anna"]),
        ("A" * 50, ["a" * WORD_LENGTH]),
    ],
)
def test_a_name_is_found_by_the_beginnings_of_its_words(name: str, found_by: list[str]) -> None:
    assert words(name) == found_by


@pytest.mark.parametrize(
    ("search", "name", "is_found"),
    [
        ("o'brien", "O’Brien Example", True),
        ("OBRIEN ex", "O’Brien Example", True),
        ("o brien", "O’Brien Example", True),
        ("O'Brien", "Obrien", True),
        ("Jean-Luc", "Jean Luc", True),
        ("Jean Luc", "Jean‑Luc", True),
        ("Isik", "Işık Yıldız", True),
        ("ışık", "Işık Yıldız", True),
        ("rien", "O’Brien Example", False),
        ("obrien sample", "O’Brien Example", False),
        ("小明", "王小明", True),
        ("王明", "王小明", False),
        ("山田太郎", "山田 太郎", True),
        ("ลิต", "ประลิตา ใจดี", True),
        ("민준", "김민준", True),
        ("!", "Anna", False),
        ("-", "Jean-Luc", False),
        ("Anna - Lena", "Anna–Lena", True),
        ("", "Anna", False),
    ],
)
def test_a_search_must_begin_words_of_the_name(search: str, name: str, is_found: bool) -> None:
    assert finds(search, name) is is_found


def test_a_line_that_only_makes_words_longer_is_no_name_by_itself() -> None:
    assert not is_a_name("\u0640")
    assert is_a_name("\u0645\u0640\u062d")


@given(NAMES)
def test_every_name_is_found_by_itself_by_each_of_its_words_and_by_its_fold(name: str) -> None:
    for search in (name, fold(name), *words(name)):
        assert finds(search, name), (search, searched(search), words(name))
    for word in name.split():
        assert finds(word, name) or not any(map(str.isalnum, fold(word))), word


@given(st.text("李娜王小明山田太郎かなアナ김민준", min_size=2, max_size=6), st.data())
def test_any_two_characters_that_follow_each_other_find_a_name_without_spaces(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 2))
    assert finds(name[place : place + 2], f"Dr. {name}")
    assert says_enough(name[place : place + 2])


@given(TYPED)
def test_a_fold_is_final_and_finds_the_same(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert words(fold(text)) == words(text)
    assert searched(fold(text)) == searched(text)


def test_the_fold_of_every_character_is_final() -> None:
    every = [chr(code) for code in range(0x110000)]
    assert [one for one in every if fold(fold(one)) != fold(one)] == []


@given(st.text(max_size=60))
def test_words_are_short_enough_for_the_index_and_hold_nothing_that_a_database_refuses(text: str) -> None:
    for word in [*words(text), *(word for token in searched(text) for spelling in token for word in spelling)]:
        assert 0 < len(word) <= WORD_LENGTH
        assert "\0" not in word
        assert len(word.encode()) <= 4 * WORD_LENGTH  # raises for a lone surrogate


@pytest.mark.parametrize(
    ("text", "is_enough"),
    [
        ("abc", True),
        ("a b c", True),
        ("ab", False),
        ("a-b", False),
        ("ab'", False),
        ("!!!", False),
        ("李娜", True),
        ("李 娜", True),
        ("李a", False),
        ("李", False),
        ("김민", True),
        ("かな", True),
        ("रवि", True),
        ("नम", False),
        ("", False),
    ],
)
def test_a_search_without_an_account_takes_three_letters_or_two_of_cjk(text: str, is_enough: bool) -> None:
    assert says_enough(text) is is_enough
