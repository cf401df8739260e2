"""The configuration of the embedded broker: KRaft, broker and controller in one process, on loopback alone.

Plain: one listener for everybody, who may do everything. Secure: one listener for clients with a certificate (mutual
TLS) and one for clients with a password (SCRAM over TLS); Kafka's own authorizer lets nobody do what was not granted.
The controller's listener asks for a certificate, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from deploy.machine.ports import HOST
from pipelines.config import TRANSACTION_TIMEOUT_MS

_COMMON = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{ports.controller}
controller.listener.names=CONTROLLER
log.dirs=log
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
# Whoever leaves a transaction open keeps every reader of the topic waiting.
transaction.max.timeout.ms={transaction_timeout_ms}
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
message.max.bytes=20971520
replica.fetch.max.bytes=20971520
group.initial.rebalance.delay.ms=0
# After a crash the controller waits for the end of the former session: 9 s where there are many brokers.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=400
# One client machine and a few topics: small pools, so that a laptop has room for the jobs.
num.network.threads=2
num.io.threads=4
background.threads=2
# As large as the system lets them grow: with Kafka's 100 kB a chunk of a MiB goes through in ten pieces and more.
socket.send.buffer.bytes=-1
socket.receive.buffer.bytes=-1
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.io.buffer.size=131072
"""

_PLAIN = """\
listeners=PLAINTEXT://{host}:{ports.clients},CONTROLLER://{host}:{ports.controller}
advertised.listeners=PLAINTEXT://{host}:{ports.clients},CONTROLLER://{host}:{ports.controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"""

_SECURE = """\
listeners=SSL://{host}:{ports.clients},SASL_SSL://{host}:{ports.passwords},CONTROLLER://{host}:{ports.controller}
advertised.listeners=SSL://{host}:{ports.clients},SASL_SSL://{host}:{ports.passwords},CONTROLLER://{host}:{ports.controller}
listener.security.protocol.map=CONTROLLER:SSL,SSL:SSL,SASL_SSL:SASL_SSL
inter.broker.listener.name=SSL
ssl.keystore.type=PEM
ssl.keystore.location={certificates}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={certificates}/ca.pem
ssl.client.auth=required
listener.name.sasl_ssl.ssl.client.auth=none
# A subject of another form than those of the embedded authority is nobody.
ssl.principal.mapping.rules=RULE:^UID=([^,]+)$/$1/
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:broker;User:admin
"""


class Ports(NamedTuple):
    """Where the broker listens. passwords: for clients without a certificate; unused where the broker is plain."""

    clients: int
    controller: int
    passwords: int


def configuration(ports: Ports, certificates: Path | None) -> str:
    """server.properties. certificates: folder with `broker.pem` and `ca.pem`, named relatively to the broker's own, in
    which the broker runs (a property takes apart what else a path may hold); None for a plain broker."""
    text = _COMMON + (_PLAIN if certificates is None else _SECURE)
    return text.format(
        host=HOST,
        ports=ports,
        certificates=certificates and certificates.as_posix(),
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )
