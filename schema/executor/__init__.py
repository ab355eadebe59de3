"""An executor of GraphQL operations that answers as graphql-core's does, in less time.

`README.md` says what it promises. It's a library of its own that lives here: it imports nothing else of the project.
"""

from schema.executor.executor import CompiledExecutor, execute
from schema.executor.guard import Guard, MaskGuard, Resolve
from schema.executor.internals import core_schema
from schema.executor.plan import Plans

__all__ = ["CompiledExecutor", "Guard", "MaskGuard", "Plans", "Resolve", "core_schema", "execute"]
