"""Runs a GraphQL request in its viewer's projection, and formats errors.

A document is parsed and validated once for each projection, and kept. Exception texts never reach a client: an error
that isn't one of ours becomes a reference that the log has too.
"""

import gc
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import structlog
from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    KnownDirectivesRule,
    ValidationContext,
    ValidationRule,
    execute,
    parse,
    specified_rules,
    validate,
)
from graphql.language import ValueNode
from graphql.validation.rules import overlapping_fields_can_be_merged as overlapping
from graphql.validation.validate import ValidationAbortedError

from models.pool import Unavailable
from permissions.viewer import Standing
from resolvers.context import Context
from resolvers.errors import Away, Failure, RateLimited, fault
from schema.build import projection
from schema.cost import MAX_DEPTH, measured
from schema.executor import Plans
from schema.executor import execute as execute_compiled

log = structlog.get_logger()

# Per projection. A client's own documents are few and short. With its plans, a document takes up to 1,000 times the
# memory of its text, for each choice of what it leaves out.
CHARACTERS_KEPT = 100_000
CHARACTERS_OF_EACH = 500  # the memory of even the shortest: its tree and plan, or its errors
MAX_DOCUMENT_TOKENS = 4_000
MAX_COMPARISONS = 20_000
MAX_DOCUMENT_LINES = 5_000  # finding the line of a mistake takes a walk over all lines before it
MAX_ERRORS = 10  # reported, out of MAX_FOUND, which may be duplicates
MAX_ERRORS_FOUND = 30
MAX_MESSAGE = 300  # characters: a message may quote everything that was sent

# graphql-core's own limit on comparing repeated fields, half a million, takes a second.
overlapping.MAX_COMPLEXITY_BUDGET = MAX_COMPARISONS

Json = dict[str, Any]  # a JSON object

_FAR_TOO_DEEP = f"A document may have at most {MAX_DEPTH} levels; this one has far more."


@dataclass(frozen=True)
class OperationAnswer:
    """The answer to a request. `started` is false if the request couldn't start at all.

    `away`: the database couldn't be reached, and nothing that was asked for came back. (A change whose connection broke
    at the very end may still have been made.)
    """

    body: Json
    started: bool
    away: bool = False


@dataclass(frozen=True)
class _Prepared:
    """A document that may run, or its errors. `may_be_too_much`: that depends on sizes in its variables."""

    document: DocumentNode | None
    errors: list[Json]
    may_be_too_much: bool = False
    plans: Plans | None = None


class Documents:
    """The documents that viewers of one projection send, each parsed and validated once."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool = True) -> None:
        self.schema = schema
        known = [UnknownDirectives if rule is KnownDirectivesRule else rule for rule in specified_rules]
        self._rules = known if introspection else [*known, NoIntrospection]
        self._kept: OrderedDict[str, _Prepared] = OrderedDict()
        self._characters = 0

    def prepared(self, text: str) -> _Prepared:
        """Parse and validate a document, or find it among those kept."""
        found = self._kept.get(text)
        if found is None:
            try:
                found = self._prepare(text)
            except RecursionError:
                found = _refused(_FAR_TOO_DEEP)
            self._keep(text, found)
        else:
            self._kept.move_to_end(text)
        return found

    def _keep(self, text: str, prepared: _Prepared) -> None:
        weight = _weight(text, prepared)
        if weight > CHARACTERS_KEPT // 2:
            return  # it would displace all others
        self._kept[text] = prepared
        self._characters += weight
        while self._characters > CHARACTERS_KEPT:
            self._characters -= _weight(*self._kept.popitem(last=False))

    def _prepare(self, text: str) -> _Prepared:
        if text.count("\n") + text.count("\r") > MAX_DOCUMENT_LINES:
            return _refused(f"A document may have at most {MAX_DOCUMENT_LINES:,} lines; this one has more.")
        try:
            document = parse(text, max_tokens=MAX_DOCUMENT_TOKENS)
        except GraphQLSyntaxError as error:
            if "nested too deeply" in error.message:  # the parser reached its own limit first
                return _refused(_FAR_TOO_DEEP)
            return _Prepared(None, [_error(error.formatted["message"], "GRAPHQL_PARSE_FAILED")])
        measure = measured(self.schema, document, None)
        if reason := measure.badly_formed():
            return _refused(reason)
        errors = validate(self.schema, document, self._rules, max_errors=MAX_ERRORS_FOUND, hide_suggestions=True)
        if errors:
            return _Prepared(None, _few([_validation_error(error) for error in errors]))
        return _Prepared(document, [], measure.too_much() is not None, Plans(self.schema, document))


class NoIntrospection(ValidationRule):
    """Refuses `__schema` and `__type`, with the message for a field that doesn't exist."""

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """Look at one field."""
        name, parent = node.name.value, self.context.get_parent_type()
        if name in {"__schema", "__type"} and parent == self.context.schema.query_type:
            self.report_error(GraphQLError(f"Cannot query field '{name}' on type '{parent}'.", node))


class UnknownDirectives(KnownDirectivesRule):
    """Reports all unknown directives of a document together, because each may occur in every place."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._unknown: dict[str, DirectiveNode] = {}

    def enter_directive(self, node: DirectiveNode, *where: Any) -> None:
        """Look at one directive."""
        if node.name.value in self.locations_map:
            super().enter_directive(node, *where)
        else:
            self._unknown.setdefault(node.name.value, node)

    def leave_document(self, *_: object) -> None:
        """Report them."""
        if self._unknown:
            names = ", ".join(f"'@{name}'" for name in self._unknown)
            what = "directive" if len(self._unknown) == 1 else "directives"
            self.report_error(GraphQLError(f"Unknown {what} {names}.", [*self._unknown.values()]))


@cache
def documents(standings: Standing, by_token: bool) -> Documents:
    """Give the documents of a projection. Only viewers who are signed in may use introspection."""
    made = Documents(projection(standings, by_token=by_token), introspection=standings != Standing.PUBLIC)
    gc.freeze()  # a projection is thousands of objects that live as long as the process
    return made


def _weight(text: str, prepared: _Prepared) -> int:
    return CHARACTERS_OF_EACH + len(text) * (prepared.plans.choices if prepared.plans else 1)


def _refused(reason: str) -> _Prepared:
    return _Prepared(None, [_error(reason, "GRAPHQL_VALIDATION_FAILED")])


async def run(context: Context, text: str, variables: Json | None, operation: str | None) -> OperationAnswer:
    """Run one request."""
    viewer = context.viewer
    kept = documents(viewer.standings, viewer.by_token)
    prepared = kept.prepared(text)
    if prepared.document is None:
        return OperationAnswer({"errors": prepared.errors}, started=False)
    if prepared.may_be_too_much and (reason := measured(kept.schema, prepared.document, variables or {}).too_much()):
        return OperationAnswer({"errors": _refused(reason).errors}, started=False)
    result: Any
    if context.settings.compiled_execution and prepared.plans is not None:
        result = execute_compiled(prepared.plans, context, variables, operation)
    else:
        asked = (kept.schema, prepared.document, None, context, variables, operation)
        result = execute(*asked, hide_suggestions=True)
    try:
        result = result if isinstance(result, ExecutionResult) else await result
    finally:
        context.done()
    return _answer(result)


def _answer(result: ExecutionResult) -> OperationAnswer:
    errors = result.errors or []
    if result.data is None and any(error.path is None for error in errors):
        return OperationAnswer(
            {"errors": _few([_formatted(error, "BAD_USER_INPUT") for error in errors])}, started=False
        )
    body: Json = {"data": result.data}
    if errors:
        body["errors"] = [_execution_error(error) for error in errors]
    # If one of several changes was made, the answer mustn't suggest sending them all again.
    nothing = not any(value is not None for value in (result.data or {}).values())
    away = nothing and any(isinstance(error.original_error, Unavailable) for error in errors)
    return OperationAnswer(body, started=True, away=away)


def _execution_error(error: GraphQLError) -> Json:
    """Format a field's error: one of ours as it is, any other as a reference."""
    cause = error.original_error
    if isinstance(cause, Unavailable):
        log.warning("database_away", path=error.path, exc_info=cause)
        cause = Away()
    if isinstance(cause, Failure):
        return _formatted(error, cause.code, **_wait(cause)) | {"message": str(cause)}
    reference = str(uuid4())
    log.error("resolver_failed", reference=reference, path=error.path, exc_info=cause or error)
    written = _formatted(error, Failure.code, reference=reference)
    return written | {"message": fault(reference)}


def failure(error: Failure) -> Json:
    """Format the answer to a request that couldn't start."""
    return {"errors": [_error(str(error), error.code, **_wait(error))]}


def _wait(error: Failure) -> dict[str, int]:
    return {"retryAfter": error.retry_after} if isinstance(error, RateLimited | Away) else {}


def _error(message: str, code: str, **extensions: Any) -> Json:
    # One of graphql-core's rules suggests names even if suggestions are hidden.
    message = message.partition(" Did you mean ")[0]
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}…"
    return {"message": message, "extensions": {"code": code, **extensions}}


def _formatted(error: GraphQLError, code: str, **extensions: Any) -> Json:
    written: Json = _error(error.message, code, **extensions)
    if error.locations:
        written["locations"] = [{"line": at.line, "column": at.column} for at in error.locations[:MAX_ERRORS]]
    if error.path:
        written["path"] = error.path
    return written


def _few(errors: list[Json]) -> list[Json]:
    """Report each mistake once, however often it was made, and at most MAX_ERRORS of them."""
    told = [*{error["message"]: error for error in reversed(errors)}.values()][::-1]
    if len(told) <= MAX_ERRORS:
        return told
    more = f"At most {MAX_ERRORS} mistakes are listed; this request has more."
    return [*told[:MAX_ERRORS], _error(more, told[0]["extensions"]["code"])]


def _validation_error(error: GraphQLError) -> Json:
    """Format a validation error. A value of the wrong type is bad input; all else asks for what isn't there."""
    if isinstance(error, ValidationAbortedError) and "limit" not in error.message:
        text = f"Repeated fields may take at most {MAX_COMPARISONS:,} comparisons; this document needs more."
        return _error(text, "GRAPHQL_VALIDATION_FAILED")
    node = error.nodes[0] if error.nodes else None
    value = isinstance(node, ValueNode) and node.kind not in {"enum_value", "variable"}
    return _formatted(error, "BAD_USER_INPUT" if value else "GRAPHQL_VALIDATION_FAILED")
