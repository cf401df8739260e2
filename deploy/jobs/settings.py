"""Settings of a job on the embedded stack, as the file that `pipelines.main` reads."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from deploy.federation.directory import DataDirectory
from deploy.machine.jars import CHECKOUT
from deploy.security.rights import Role
from fluvial.identity.brokers import Brokers
from fluvial.identity.federation import Federation
from fluvial.transparency.note import NoteKey
from pipelines.config import Settings


def job_settings(
    directory: DataDirectory, federation: Federation, *, parallelism: int, savepoint: Path | None, **overrides: Any
) -> Settings:
    """Settings of a job. savepoint: where its state comes from; from the log where there is none.

    overrides: fields of Settings. Raises pydantic's ValidationError (a ValueError) for what does not fit.
    """
    return Settings(
        **{
            "brokers": _brokers_of_jobs(directory, federation),
            "topic_prefix": federation.topic_prefix,
            "federation_id": federation.federation_id or "",
            "partitions": federation.partitions,
            "topic_policy": directory.topic_policy(),
            "operator_key": federation.operator_key,
            "registrar_key": federation.registrar_key,
            "aggregator_key": federation.aggregator_key,
            "log_origin": NoteKey.parse(federation.log_key).name,
            "keys_dir": directory.keys,
            "checkpoint_dir": directory.checkpoints,
            "parallelism": parallelism,
            "repository_root": CHECKOUT,
            "submission": secrets.token_hex(8),
            "restore_from": savepoint.resolve() if savepoint else None,
            **overrides,
        }
    )


def _brokers_of_jobs(directory: DataDirectory, federation: Federation) -> Brokers:
    """With the jobs' own credentials, where the data directory has them and its broker is meant."""
    own = directory.credentials.security(Role.JOBS) if directory.credentials.exist else None
    if own is None or own.ca_file != federation.security.ca_file:
        return federation.brokers
    return Brokers(bootstrap_servers=federation.bootstrap_servers, security=own)
