"""Tests of the executor as a library: on a schema of their own, without the rest of the project."""
