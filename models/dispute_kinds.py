"""The kinds of dispute, read from a file. Directories read them, so they're a list: free text could name parties."""

import tomllib
from pathlib import Path

from i18n import LazyText
from models.fields import Choice

_FILE = Path(__file__).with_name("dispute_kinds.toml")


class DisputeKind(Choice):
    """What a dispute was about."""

    _ignore_ = "kind"
    for kind in tomllib.loads(_FILE.read_text(encoding="utf-8"))["kinds"]:
        vars()[kind["key"]] = kind["key"], LazyText(kind["label"]), kind["also"]
