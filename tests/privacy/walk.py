"""Documents that ask for everything in somebody's schema: every root field, with every value that could open one.

They're made only from the schema, so a field that's added later is asked for too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

from schema.cost import MAX_ORIGINS, WHOLE_LISTS

# How many fields one document asks for side by side: as many as the bounds on aliases and on cost allow.
AT_ONCE = 10
_WITH_LISTS = {type_name for type_name, _ in WHOLE_LISTS} - {"Mediator"}


def selection(type_: GraphQLObjectType, above: frozenset[str] = frozenset()) -> str:
    """Select everything in a type; in a list, its nodes, cursors and total."""
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
            # Five rows of those whose own lists cost much; nobody has more of them in these tests.
            is_expensive = "first" in field.args and named.name.removesuffix("Connection") in _WITH_LISTS
            parts.append(f"{name}{'(first: 5)' if is_expensive else ''} {selection(named, above)}")
        else:
            parts.append(name)
    return f"{{ {' '.join(parts)} }}"


@dataclass(frozen=True)
class Asked:
    """A document and its variables. One that is `paged` starts its list from the cursor in the variable `after`."""

    text: str
    variables: Mapping[str, str]
    paged: bool = False


@dataclass(frozen=True)
class _Value:
    """What an argument is given: as it's written in a document, or as the value of a variable of that type."""

    written: str
    variable_of: str = ""


def _values(name: str, argument: GraphQLArgument, pools: Mapping[str, Sequence[str]]) -> Sequence[_Value]:
    """What to try for an argument."""
    named = get_named_type(argument.type)
    if isinstance(named, GraphQLEnumType):
        return [_Value(value) for value in named.values]
    if name in pools or named.name == "ID":
        return [_Value(value, str(argument.type)) for value in pools.get(name, pools["id"])]
    return [_Value(one) for one in {"Int": ["1"], "Boolean": ["true", "false"], "String": ['"zq"']}.get(named.name, [])]


def _choices(field: GraphQLField, pools: Mapping[str, Sequence[str]]) -> Iterator[dict[str, _Value]]:
    """Every way to ask for a field: without arguments, and with each value of each argument that opens something."""
    required = {name: one for name, one in field.args.items() if is_required_argument(one)}
    if not required:
        yield {}
    opening = required or {
        name: one for name, one in field.args.items() if name in {"id", "link", "search", "standing"}
    }
    others = {name: values[0] for name, one in required.items() if (values := _values(name, one, pools))}
    for name, argument in opening.items():
        for value in _values(name, argument, pools):
            yield others | {name: value}


def documents(schema: GraphQLSchema, pools: Mapping[str, Sequence[str]]) -> Iterator[Asked]:
    """Documents that together ask for everything; `pools` has the values to try by the argument's name.

    Values are variables and the selection is a fragment, so one document serves many values and many readers.
    A list at the root has a document to itself, as `f0`.
    """
    assert schema.query_type
    for name, field in schema.query_type.fields.items():
        choices, is_list = _choices(field, pools), "after" in field.args
        while batch := list(islice(choices, 1 if is_list else AT_ONCE)):
            yield _asking(name, field, batch, is_list)
    yield from origins(schema)


def origins(schema: GraphQLSchema) -> Iterator[Asked]:
    """Who gave each mediator's feedback: as many as one request may look up, and for a reason."""
    origin = schema.type_map.get("FeedbackOrigin")
    if isinstance(origin, GraphQLObjectType):
        looked_up = f'origin(reason: "Ticket 1234") {selection(origin)}'
        pieces = f"feedback(first: {MAX_ORIGINS}) {{ nodes {{ id {looked_up} }} }}"
        place = "pageInfo { hasNextPage endCursor }"
        text = f"query($after: String) {{ f0: mediators(first: 1, after: $after) {{ nodes {{ {pieces} }} {place} }} }}"
        yield Asked(text, {}, paged=True)


def _asking(name: str, field: GraphQLField, batch: list[dict[str, _Value]], is_list: bool) -> Asked:
    """One document that asks for a field in several ways."""
    named = get_named_type(field.type)
    of_object = isinstance(named, GraphQLObjectType)
    fields, variables = [], dict[str, str]()
    declared = ["$after: String"] if is_list else []
    for number, choice in enumerate(batch):
        given = ["after: $after"] if is_list else []
        for argument, value in choice.items():
            if value.variable_of:
                variables[f"{argument}{number}"] = value.written
                declared.append(f"${argument}{number}: {value.variable_of}")
            given.append(f"{argument}: {f'${argument}{number}' if value.variable_of else value.written}")
        arguments = f"({', '.join(given)})" if given else ""
        fields.append(f"f{number}: {name}{arguments}{' { ...all }' if of_object else ''}")
    variables_of = f"({', '.join(declared)})" if declared else ""
    text = f"query{variables_of} {{ {' '.join(fields)} }}"
    if isinstance(named, GraphQLObjectType):
        text += f" fragment all on {named.name} {selection(named)}"
    return Asked(text, variables, is_list)


def lists(schema: GraphQLSchema) -> Iterator[str]:
    """Each of a mediator's lists in every order and with every filter, two rows from either end, for all mediators."""
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
