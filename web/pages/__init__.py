"""The pages: a module for each noun, which declares its pages. Modules and pages are found automatically."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from web.page import Page, in_order, menu_links


def _declared() -> Iterator[Page]:
    """Give each page of a module of this package, alone or in a tuple."""
    for found in iter_modules(__path__, f"{__name__}."):
        for value in vars(import_module(found.name)).values():
            yield from (one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, Page))


pages = in_order(_declared())
routes = [page.route() for page in pages]
menu = menu_links(pages)
