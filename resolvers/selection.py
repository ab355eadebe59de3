"""The fields that a document asks for below a field, so that its resolver loads no more than those."""

from collections.abc import Mapping

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode

from resolvers.context import Info


def fields_below(info: Info) -> frozenset[str]:
    """Name every field that the document asks for below this one, at any depth, even if a directive leaves it out."""
    raw = info._raw_info  # noqa: SLF001 - Strawberry's own way to it makes an object a field
    first, *others = raw.field_nodes
    return _fields_below(first, raw.fragments).union(*(_fields_below(one, raw.fragments) for one in others))


def _fields_below(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> frozenset[str]:
    """Look once. The result is kept on the node, and goes when its document goes."""
    found: frozenset[str] | None = vars(node).get("fields_below")
    if found is None:
        found = vars(node)["fields_below"] = _look_below(node, fragments)
    return found


def _look_below(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> frozenset[str]:
    names: set[str] = set()
    spread: set[str] = set()
    sets = [node.selection_set]
    while sets:
        selected = sets.pop()
        for one in selected.selections if selected else ():
            if isinstance(one, FragmentSpreadNode):
                if one.name.value not in spread:
                    spread.add(one.name.value)
                    sets.append(fragments[one.name.value].selection_set)
                continue
            if isinstance(one, FieldNode):
                names.add(one.name.value)
            sets.append(one.selection_set)  # type: ignore[attr-defined]  # an inline fragment has one too
    return frozenset(names)
