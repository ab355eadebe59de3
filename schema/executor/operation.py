"""What graphql-core works out about an operation for each request, worked out once; and its plain variables."""

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
)

from schema.executor.internals import (
    FragmentDetails,
    GraphQLVariableSignature,
    VariableValues,
    VariableValueSource,
    get_variable_signature,
)

# What JSON holds for a value that its type takes as it is.
_AS_IT_IS: dict[str, type] = {"ID": str, "String": str, "Boolean": bool, "Int": int}
_MAX_INT = 2**31 - 1


@dataclass(frozen=True)
class Operation:
    """The only operation of a document, with the fragments around it."""

    node: OperationDefinitionNode
    fragment_definitions: dict[str, FragmentDefinitionNode]
    fragments: dict[str, FragmentDetails]
    signatures: list[GraphQLVariableSignature]

    def variables(self, given: dict[str, Any]) -> VariableValues | None:
        """Read the variables; None where graphql-core is to do that, and perhaps to refuse them."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for signature in self.signatures:
            name: str = signature.name
            type_: Any = signature.type
            value = given.get(name, Undefined)
            if isinstance(type_, GraphQLNonNull):
                type_ = type_.of_type
            elif value is Undefined:
                sources[name] = VariableValueSource(signature)
                continue
            elif value is None:
                sources[name], coerced[name] = VariableValueSource(signature, None), None
                continue
            if type(value) is not _AS_IT_IS[type_.name]:
                return None
            if type(value) is int and not -_MAX_INT <= value <= _MAX_INT:
                return None
            sources[name], coerced[name] = VariableValueSource(signature, value), value
        return VariableValues(sources, coerced)


def only_operation(schema: GraphQLSchema, document: DocumentNode) -> Operation | None:
    """Describe a document's operation; None if it has several, or a variable that is not plain or has a default."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    if len(operations) != 1 or any(one.variable_definitions for one in fragments.values()):
        return None
    signatures = []
    for definition in operations[0].variable_definitions or ():
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError) or signature.default is not None:
            return None
        named: Any = signature.type.of_type if isinstance(signature.type, GraphQLNonNull) else signature.type
        if getattr(named, "name", "") not in _AS_IT_IS:
            return None
        signatures.append(signature)
    return Operation(
        operations[0], fragments, {name: FragmentDetails(one) for name, one in fragments.items()}, signatures
    )
