"""Fixtures of the engine tests: one broker for all of them, and settings of a job in this process's local Flink."""

from __future__ import annotations

import subprocess
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyflink import java_gateway

from deploy.broker.process import Broker
from deploy.broker.topics import create_topics
from fluvial.identity.keys import SigningKey
from pipelines.config import Settings
from pipelines.flink.stage_mac import make_secret

PARTITIONS = 2


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def flink_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """PyFlink starts one JVM and forgets it, with open pipes; here it is kept, and ended with the tests."""
    started: list[subprocess.Popen[bytes]] = []
    launch = java_gateway.launch_gateway_server_process

    def launch_and_keep(*args: Any) -> subprocess.Popen[bytes]:
        started.append(launch(*args))
        return started[-1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyflink.fn_execution.beam.beam_worker_pool_service  # noqa: F401 brings in libraries that warn of one another

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLINK_LOG_DIR", str(tmp_path_factory.mktemp("flink-log")))  # else in site-packages
        patch.setenv("JVM_ARGS", "-Xmx768m")
        patch.setattr(java_gateway, "launch_gateway_server_process", launch_and_keep)
        yield
        if java_gateway._gateway is not None:
            java_gateway._gateway.shutdown()
            java_gateway._gateway = None
        for process in started:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture
def settings(broker: Broker, tmp_path: Path) -> Settings:
    """Settings with topics of their own on the shared broker. A job fails at its first error unless told otherwise."""
    key = SigningKey.generate()
    key.save(tmp_path / "keys" / "aggregator.pem")
    settings = Settings(
        brokers=broker.brokers,
        topic_prefix=f"test-{uuid.uuid4().hex[:8]}.",
        federation_id=uuid.uuid4().hex,
        partitions=PARTITIONS,
        operator_key="00" * 32,
        registrar_key="00" * 32,
        aggregator_key=key.public_key.hex(),
        log_origin="example.org/test",
        keys_dir=tmp_path / "keys",
        checkpoint_dir=tmp_path / "checkpoints",
        checkpoint_interval_ms=200,
        restart_attempts=0,
        repository_root=Path(__file__).resolve().parents[2],
    )
    make_secret(settings.keys_dir)
    create_topics(settings.brokers, settings.topics.all_settings(PARTITIONS))
    return settings
