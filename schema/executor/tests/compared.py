"""Runs documents with both executors, and compares everything in their results."""

import asyncio
import gc
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute, parse, validate

from schema.executor import Plans
from schema.executor import execute as execute_compiled
from schema.executor.tests.random_documents import Sent


async def by_graphql_core(schema: GraphQLSchema, sent: Sent, document: DocumentNode, context: Any) -> ExecutionResult:
    """Run a document with graphql-core alone."""
    result: Any = execute(
        schema, document, context_value=context, variable_values=sent.variables, hide_suggestions=True
    )
    return result if isinstance(result, ExecutionResult) else await result


async def by_plans(plans: Plans, sent: Sent, context: Any) -> ExecutionResult:
    """Run a document with the compiled executor."""
    result: Any = execute_compiled(plans, context, sent.variables)
    return result if isinstance(result, ExecutionResult) else await result


def emptied(data: Any, path: list[str | int]) -> list[str | int]:
    """The start of an error's path, up to where the data is null."""
    for depth, step in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[step]
    return path


@asynccontextmanager
async def abandoned_coroutines() -> AsyncIterator[None]:
    """Let coroutines be dropped: graphql-core does that if a sibling that can't be null has failed at once.

    Garbage is only collected between documents: the warning about such a coroutine appears wherever Python happens to
    collect it, and fails in the frames of some of Python's own functions.
    """
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
            for _ in range(5):
                await asyncio.sleep(0)  # cancelled tasks come to an end
            gc.collect()
    finally:
        gc.enable()


class Compared:
    """Compares documents; the compiled executor runs each twice, because the second run uses what the first compiled.

    `too_much`: which documents, with their variables, aren't run.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        ordered: bool = True,
        too_much: Callable[[DocumentNode, dict[str, Any]], bool] = lambda _document, _variables: False,
    ) -> None:
        self.schema, self.ordered, self._too_much = schema, ordered, too_much
        self.outcomes: Counter[str] = Counter()

    def told(self, result: ExecutionResult) -> dict[str, Any]:
        """Everything in a result, as text where order counts.

        Of values awaited at the same time, the first to fail empties what is above it, and the others aren't reported:
        if errors have no order, one that spread counts by the place it emptied, and not by its text.
        """
        errors: Any = [(str(error), error.path, type(error.original_error).__name__) for error in result.errors or []]
        if not self.ordered:
            places = [emptied(result.data, path or []) for _, path, _ in errors]
            errors = {
                (*place, "spread") if len(place) < len(error[1] or []) else (*place, error[0], error[2])
                for place, error in zip(places, errors, strict=True)
            }
        return {"data": orjson.dumps(result.data, default=repr).decode(), "errors": errors}

    async def run(self, sent: Sent, context: Callable[[], Any]) -> None:
        """Run a document; `context` makes a context for each run."""
        document = parse(sent.text)
        invalid = validate(self.schema, document)
        assert not invalid, (invalid, sent.text)
        if self._too_much(document, sent.variables):
            self.outcomes["too much"] += 1
            return
        stock = self.told(await by_graphql_core(self.schema, sent, document, context()))
        plans = Plans(self.schema, document)
        for _ in range(2):
            compiled = self.told(await by_plans(plans, sent, context()))
            assert compiled == stock, sent
        self.outcomes["errors" if stock["errors"] else "no errors"] += 1
        gc.collect(1)
