"""The names of files: as they were typed, without anything that could mislead people or programs."""

import re
import unicodedata

from i18n import gettext as _
from models.evidence import MediaType
from permissions.writing import is_blank
from resolvers.validation import MAX_NAME

_LEFT_OUT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, what turns the direction of writing, and the like
_NOT_IN_NAMES = re.compile(r'[<>:"|?*]')  # what some systems don't have in names
_ENDINGS = {media_type: tuple(media_type.also.split()) for media_type in MediaType}
_ANY_ENDING = tuple(ending for endings in _ENDINGS.values() for ending in endings)


def clean_name(given: str, media_type: MediaType) -> str:
    """Give a name for a file of a type: of `given`, what comes after folders, with an ending that says the type."""
    last = re.split(r"[/\\]", given)[-1]
    kept = "".join(one for one in unicodedata.normalize("NFC", last) if unicodedata.category(one) not in _LEFT_OUT)
    kept = " ".join(_NOT_IN_NAMES.sub(" ", kept).split()).rstrip(". ")
    ending = next((one for one in _ANY_ENDING if kept.lower().endswith(one)), "")
    typed = kept[len(kept) - len(ending) :]
    stem = kept.removesuffix(typed).strip(". ")
    if is_blank(stem):
        stem = _("file")
    right = typed if ending in _ENDINGS[media_type] else _ENDINGS[media_type][0]
    # In bytes, because that's what file systems count.
    cut = stem.encode()[: MAX_NAME - len(right)].decode(errors="ignore")
    return cut.rstrip(". ") + right
