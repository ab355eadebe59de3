"""Random valid documents for a schema, with aliases, fields asked for twice, fragments, conditions and arguments."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

from schema.executor.tests.values import value_of

MAX_DEPTH = 9
MAX_FIELDS = 60  # roughly: after that, only leaves are added
_BOOLEAN = GraphQLNonNull(GraphQLBoolean)


@dataclass
class Sent:
    """A document and its variables."""

    text: str
    variables: dict[str, Any]


@dataclass
class Documents:
    """Makes documents. `ids`: values for arguments of type ID, by their field; `without`: fields left out."""

    schema: GraphQLSchema
    random: Random
    ids: dict[str, list[str]] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    _declared: dict[str, str] = field(default_factory=dict)
    _variables: dict[str, Any] = field(default_factory=dict)
    _fragments: list[str] = field(default_factory=list)
    _aliases: int = 0
    _fields: int = 0

    def query(self) -> Sent:
        """Make a query."""
        assert self.schema.query_type is not None
        return self._operation("query", self.schema.query_type)

    def mutation(self) -> Sent:
        """Make a mutation."""
        assert self.schema.mutation_type is not None
        return self._operation("mutation", self.schema.mutation_type)

    def _operation(self, kind: str, root: GraphQLObjectType) -> Sent:
        self._declared, self._variables, self._fragments, self._aliases, self._fields = {}, {}, [], 0, 0
        selection = self._selection(root, MAX_DEPTH)
        declared = ", ".join(f"${name}: {of}" for name, of in self._declared.items())
        text = f"{kind}{f'({declared})' if declared else ''} {selection} {' '.join(self._fragments)}"
        return Sent(text, self._variables)

    def _selection(self, of: GraphQLObjectType, depth: int) -> str:
        leads_on = {name for name, one in of.fields.items() if isinstance(get_named_type(one.type), GraphQLObjectType)}
        deeper = depth > 1 and self._fields < MAX_FIELDS
        names = [name for name in of.fields if name not in self.without and (deeper or name not in leads_on)]
        if not names or self.random.random() < 0.3:
            names.append("__typename")
        chosen = [self._spread(of, name, depth) for name in self._some(names)]
        if self.random.random() < 0.2:
            chosen.append(chosen[self.random.randrange(len(chosen))])  # the same again, so that they are merged
        return f"{{ {' '.join(chosen)} }}"

    def _some(self, names: list[str]) -> list[str]:
        number = min(len(names), self.random.choice((1, 2, 3, 5, 8)))
        return self.random.sample(names, number)

    def _spread(self, of: GraphQLObjectType, name: str, depth: int) -> str:
        text = self._field(of.fields.get(name), name, depth)
        way = self.random.random()
        if way < 0.1:
            return f"... on {of.name}{self._condition()} {{ {text} }}"
        if way < 0.15:
            return f"... {{ {text} }}"
        if way < 0.25:
            # Its variables are those of the operation: the fragment is spread here and nowhere else.
            fragment = f"Part{len(self._fragments)}"
            self._fragments.append(f"fragment {fragment} on {of.name} {{ {text} }}")
            return f"...{fragment}{self._condition()}"
        return text

    def _field(self, of: GraphQLField | None, name: str, depth: int) -> str:
        given, inner = "", ""
        self._fields += 1
        if of is not None:
            given = self._arguments(name, of.args)
            named = get_named_type(of.type)
            if isinstance(named, GraphQLObjectType):
                inner = f" {self._selection(named, depth - 1)}"
        return f"{self._alias(given != '' or inner != '')}{name}{given}{self._condition()}{inner}"

    def _alias(self, needed: bool) -> str:
        """Give a field an alias: always, if another field of its name could be asked for something else."""
        if not needed and self.random.random() < 0.8:
            return ""
        self._aliases += 1
        return f"a{self._aliases}: "

    def _arguments(self, name: str, arguments: dict[str, GraphQLArgument]) -> str:
        chosen = [
            (key, one) for key, one in arguments.items() if is_required_argument(one) or self.random.random() < 0.15
        ]
        given = [f"{key}: ${self._variable(one.type, self._value(name, key, one.type))}" for key, one in chosen]
        return f"({', '.join(given)})" if given else ""

    def _value(self, name: str, key: str, of: GraphQLInputType) -> Any:
        named = get_named_type(of)
        if named.name == "ID" and self.ids.get(name):
            return self.random.choice(self.ids[name])
        if key in {"first", "last"}:
            return self.random.choice((0, 1, 3, 30))
        nullable = not isinstance(of, GraphQLNonNull)
        return None if nullable and self.random.random() < 0.3 else value_of(of, every=self.random.random() < 0.5)

    def _variable(self, of: GraphQLInputType, value: Any) -> str:
        name = f"v{len(self._declared)}"
        self._declared[name] = str(of)
        self._variables[name] = value
        return name

    def _condition(self) -> str:
        if self.random.random() > 0.08:
            return ""
        value = self.random.random() < 0.5
        literal = self.random.random() < 0.3
        given = str(value).lower() if literal else f"${self._variable(_BOOLEAN, value)}"
        return f" @{self.random.choice(('skip', 'include'))}(if: {given})"
