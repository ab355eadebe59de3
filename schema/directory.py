"""Directories in the schema."""

import strawberry

from resolvers.directory import create_directory, directories, update_directory
from schema.connections import connection
from schema.mutations import Payload, mutation


@strawberry.type(description="A person or organisation that verifies mediators' experience.")
class Directory:
    id: strawberry.ID
    name: str
    website: str | None


@strawberry.type
class CreateDirectoryPayload(Payload):
    directory: Directory | None = None


@strawberry.type
class UpdateDirectoryPayload(Payload):
    directory: Directory | None = None


@strawberry.type
class DirectoryQueries:
    directories = connection(directories, Directory, description="All directories, by name.")


@strawberry.type
class DirectoryMutations:
    create_directory = mutation(create_directory, CreateDirectoryPayload)
    update_directory = mutation(update_directory, UpdateDirectoryPayload)
