"""What Alembic runs: the connection comes from `store.migrate` (or from the generator), never from a file."""

from __future__ import annotations

from alembic import context

from sitewarden_collector.store.base import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables(),
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
