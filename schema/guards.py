"""Guards around resolvers: who may read a row's field, who may enter, and what text can be stored.

They follow the executor's own protocol, so that it can call the resolvers inside them (`schema/executor/guard.py`).
"""

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from permissions.viewer import Standing
from resolvers.errors import BadInput
from schema.executor import Resolve


@dataclass(frozen=True)
class _Guard:
    resolve: Resolve

    def around(self, resolve: Resolve) -> Self:
        """Give the same guard around another resolver."""
        return replace(self, resolve=resolve)


@dataclass(frozen=True)
class RowGuard(_Guard):
    """Gives null if the standing that the row was loaded with doesn't have the field. It depends only on the row."""

    allowed: Standing
    attribute: ClassVar[str] = "standing"

    @property
    def mask(self) -> int:
        """The standings that have the field, as bits."""
        return int(self.allowed)

    def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field if its row allows it."""
        return self.resolve(source, info, **arguments) if source.standing & self.allowed else None


@dataclass(frozen=True)
class EntryGuard(_Guard):
    """Keeps viewers out who have something to do first."""

    without_factor: bool

    def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field if the viewer may enter."""
        info.context.require_ready(without_factor=self.without_factor)
        return self.resolve(source, info, **arguments)


@dataclass(frozen=True)
class TextGuard(_Guard):
    """Refuses text that the database can't store: NUL characters and lone surrogates."""

    def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field if its arguments can be stored."""
        for value in arguments.values():
            if isinstance(value, str | dict | list):
                _check_text(value)
        return self.resolve(source, info, **arguments)


_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


def _check_text(value: object) -> None:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise BadInput("Text can't contain NUL characters or lone surrogates.")
    elif isinstance(value, dict):
        for item in value.values():
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
