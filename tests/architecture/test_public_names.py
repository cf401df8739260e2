"""Public is what `__all__` reaches; the list is frozen here, so that it changes on purpose only."""

import importlib
import pkgutil

import fluvial

PUBLIC = {
    "fluvial.edge": {
        "EnrolmentRejected",
        "EnrolmentTimeout",
        "OutboxUnavailable",
        "Participant",
        "Transport",
        "TransportFailed",
        "TransportUnavailable",
        "connect",
    },
    "fluvial.edge.metrics": {"GroupMetrics", "Measured", "measure", "measure_groups", "metric_name"},
    "fluvial.edge.packages": {"Examples", "PackageError", "Packages", "TaskPackage", "joined", "pinned"},
    "fluvial.edge.training.architectures": {"build", "initial_state"},
    "fluvial.kafka": {
        "FETCH_TIMEOUT_SECONDS",
        "MAX_REQUEST_BYTES",
        "Bounds",
        "End",
        "Message",
        "Place",
        "Position",
        "Reader",
        "Snapshot",
        "Start",
        "Transport",
        "TransportFailed",
        "TransportUnavailable",
        "connect",
        "read_all",
        "read_to_end",
        "snapshot",
    },
    "fluvial.encoding": {
        "DECODINGS",
        "ENCODINGS",
        "Encoded",
        "Fault",
        "Limits",
        "PartialSumDecoding",
        "Span",
        "TensorDecoding",
        "TensorEncoding",
        "encoder",
        "get",
    },
}


def packages() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(fluvial.__path__, "fluvial.") if found.ispkg]


def test_the_package_itself_stays_bare() -> None:
    names = {name for name in vars(fluvial) if not name.startswith("_")}
    assert names <= {
        "admission",
        "auditor",
        "cli",
        "edge",
        "encoding",
        "identity",
        "inference",
        "kafka",
        "registry",
        "transparency",
        "wire",
    }


def test_public_names_are_those_listed() -> None:
    found = {
        name: set(module.__all__) for name in packages() if hasattr(module := importlib.import_module(name), "__all__")
    }
    assert found == PUBLIC


def test_every_public_name_exists_and_is_documented() -> None:
    for package, names in PUBLIC.items():
        module = importlib.import_module(package)
        for name in names:
            member = getattr(module, name)
            assert not callable(member) or member.__doc__, f"{package}.{name}"
