"""Directories in the schema."""

from typing import Any

import strawberry
from strawberry import UNSET

from resolvers import directory
from resolvers.paging import page
from schema.changes import Payload, attempt, once
from schema.lists import Connection, Info, given, read_id


@strawberry.type(description="A person or organisation that verifies mediators' experience.")
class Directory:
    id: strawberry.ID
    name: str
    website: str | None


@strawberry.input
class CreateDirectoryInput:
    name: str
    email: str
    website: str | None = None
    request_key: str | None = None


@strawberry.input(description="Changes to a directory; what is left out stays as it is.")
class UpdateDirectoryInput:
    id: strawberry.ID
    name: str | None = UNSET
    website: str | None = UNSET


@strawberry.type
class CreateDirectoryPayload(Payload):
    directory: Directory | None = None


@strawberry.type
class UpdateDirectoryPayload(Payload):
    directory: Directory | None = None


@strawberry.type
class DirectoryQueries:
    @strawberry.field(description="All directories, by name.")
    async def directories(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Directory] | None:
        found: Any = await directory.directory_page(info.context, page(first, after, last, before))
        return found


@strawberry.type
class DirectoryMutations:
    @strawberry.mutation
    async def create_directory(self, info: Info, input: CreateDirectoryInput) -> CreateDirectoryPayload | None:
        async def change() -> dict[str, Any]:
            made = await directory.create_directory(info.context, input.name, input.email, input.website, once(input))
            return {"directory": await directory.directory(info.context, made)}

        return await attempt(CreateDirectoryPayload, change())

    @strawberry.mutation
    async def update_directory(self, info: Info, input: UpdateDirectoryInput) -> UpdateDirectoryPayload | None:
        async def change() -> dict[str, Any]:
            directory_id = read_id(input.id)
            await directory.update_directory(info.context, directory_id, given(input))
            return {"directory": await directory.directory(info.context, directory_id)}

        return await attempt(UpdateDirectoryPayload, change())
