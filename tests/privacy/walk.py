"""Documents that ask for all that somebody's schema has: every field at the root, with every value that could open one.

They are made from the schema alone, so that a field which is added later is asked for too.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

# How many fields one document asks for side by side: the bounds on aliases and on cost allow as many.
AT_ONCE = 10


def selection(type_: GraphQLObjectType, above: frozenset[str] = frozenset()) -> str:
    """Select everything of a type; of a list its nodes, its cursors and its total."""
    if type_.name in above:
        return "{ __typename }"
    above |= {type_.name}
    parts = []
    for name, field in type_.fields.items():
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        named = get_named_type(field.type)
        if name == "edges":
            parts.append("edges { cursor }")
        elif isinstance(named, GraphQLObjectType):
            parts.append(f"{name} {selection(named, above)}")
        else:
            parts.append(name)
    return f"{{ {' '.join(parts)} }}"


def _values(name: str, argument: GraphQLArgument, pools: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """What to try for an argument, as it is written in a document."""
    named = get_named_type(argument.type)
    if isinstance(named, GraphQLEnumType):
        return list(named.values)
    if name in pools:
        return [f'"{value}"' for value in pools[name]]
    if named.name == "ID":
        return [f'"{value}"' for value in pools["id"]]
    return {"Int": ["1"], "Boolean": ["true", "false"], "String": ['"zq"']}.get(named.name, [])


def _choices(field: GraphQLField, pools: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every way to ask for a field: without arguments, and with each value of each argument that opens something."""
    paged = ["after: $after"] if "after" in field.args else []
    required = {name: one for name, one in field.args.items() if is_required_argument(one)}
    if not required:
        yield _written(paged)
    opening = required or {
        name: one for name, one in field.args.items() if name in {"id", "link", "search", "standing"}
    }
    others = {name: values[0] for name, one in required.items() if (values := _values(name, one, pools))}
    for name, argument in opening.items():
        for value in _values(name, argument, pools):
            given = others | {name: value}
            yield _written([f"{one}: {written}" for one, written in given.items()] + paged)


def _written(arguments: Sequence[str]) -> str:
    return f"({', '.join(arguments)})" if arguments else ""


def documents(schema: GraphQLSchema, pools: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Documents that together ask for everything; `pools` has the values to try by the argument's name.

    A list at the root stands alone in its document, as `f0`, and starts from the cursor in the variable `after`.
    """
    assert schema.query_type
    for name, field in schema.query_type.fields.items():
        named = get_named_type(field.type)
        selected = selection(named) if isinstance(named, GraphQLObjectType) else ""
        choices = _choices(field, pools)
        is_list = "after" in field.args
        while batch := list(islice(choices, 1 if is_list else AT_ONCE)):
            asked = " ".join(f"f{number}: {name}{choice} {selected}" for number, choice in enumerate(batch))
            yield f"query{'($after: String)' if is_list else ''} {{ {asked} }}"


def lists(schema: GraphQLSchema) -> Iterator[str]:
    """Each list of a mediator's in every order and with every filter, two rows from either end, of all mediators."""
    mediator = schema.type_map.get("Mediator")
    if not isinstance(mediator, GraphQLObjectType):
        return
    for name, field in mediator.fields.items():
        if "first" not in field.args:
            continue
        for choice in [*_orders(field), *_filters(field), ""]:
            for end in ("first: 2", "last: 2"):
                given = ", ".join(filter(None, (end, choice)))
                frame = "totalCount edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage }"
                yield f"{{ mediators {{ nodes {{ id {name}({given}) {{ {frame} }} }} }} }}"


def _orders(field: GraphQLField) -> Iterator[str]:
    order = get_named_type(field.args["orderBy"].type) if "orderBy" in field.args else None
    if isinstance(order, GraphQLInputObjectType):
        kind = get_named_type(order.fields["field"].type)
        assert isinstance(kind, GraphQLEnumType)
        for value in kind.values:
            yield from (f"orderBy: {{ field: {value}, direction: {way} }}" for way in ("ASC", "DESC"))


def _filters(field: GraphQLField) -> Iterator[str]:
    wanted = get_named_type(field.args["filter"].type) if "filter" in field.args else None
    if isinstance(wanted, GraphQLInputObjectType):
        for name, one in wanted.fields.items():
            kind = get_named_type(one.type)
            if isinstance(kind, GraphQLEnumType):
                values = list(kind.values)
            else:
                values = {"Boolean": ["true", "false"], "Int": ["1980", "2001"], "String": ['"zq"', '"a"']}[kind.name]
            yield from (f"filter: {{ {name}: {value} }}" for value in values)
