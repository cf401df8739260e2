// Reads a federation's audit log with no code of Fluvial's: prints every event, checks the hash chain and checkpoints.
//
//     node consume.js FEDERATION.JSON FINGERPRINTS.JSON [COUNT]
//
// It follows the log; with COUNT it ends once a checkpoint over so many leaves is verified.

import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import { Kafka, logLevel } from 'kafkajs';

const federation = JSON.parse(readFileSync(process.argv[2]));
const schemas = JSON.parse(readFileSync(process.argv[3]));
const count = Number(process.argv[4] ?? Infinity);
const types = new Map(Object.entries(schemas).map(([mark, entry]) => [mark, avro.Type.forSchema(entry.schema)]));
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

// Avro single-object encoding: C3 01, the fingerprint of the schema that wrote it, binary data.
function decode(data) {
  assert.equal(data.toString('hex', 0, 2), 'c301', 'no single-object header');
  const mark = data.toString('hex', 2, 10);
  return [schemas[mark], types.get(mark).fromBuffer(data.subarray(10))];
}

// The record's numbers, texts, enums and truth values, in the order of its schema; doubles are left out.
function plain(entry, record) {
  const fields = entry.schema.fields.filter(({ name, type }) => type !== 'double' && typeof record[name] !== 'object');
  return fields.map(({ name }) => `${name}=${record[name]}`).join(' ');
}

// Merkle tree hash (RFC 6962, 2.1) over the hashes of leaves.
function root(hashes) {
  if (hashes.length === 1) return hashes[0];
  const split = 2 ** Math.floor(Math.log2(hashes.length - 1));
  return sha256(Buffer.of(1), root(hashes.slice(0, split)), root(hashes.slice(split)));
}

// Size and root of a checkpoint (C2SP tlog-checkpoint), its Ed25519 signature checked with the federation's key.
function verified(note) {
  const [, name, key] = federation.log_key.match(/^([^+]+)\+[0-9a-f]+\+(.+)$/);
  const [text, signatures] = note.toString().split('\n\n');
  const signature = signatures.split('\n').map((line) => line.split(' ')).find(([, signer]) => signer === name)[2];
  const raw = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(key, 'base64').subarray(1)]);
  const publicKey = createPublicKey({ key: raw, format: 'der', type: 'spki' });
  assert(verify(null, Buffer.from(`${text}\n`), publicKey, Buffer.from(signature, 'base64').subarray(4)), 'forged');
  const [origin, size, expected] = text.split('\n');
  assert.equal(origin, name, 'a checkpoint of another log');
  return { size: Number(size), expected: Buffer.from(expected, 'base64') };
}

const leaves = [];
let previous = Buffer.alloc(32);
let checkpoints = [];

function take(topic, value) {
  if (topic === `${federation.topic_prefix}audit`) {
    const [, leaf] = decode(value);
    assert.equal(leaf.sequence, leaves.length, `leaf ${leaves.length} has another number`);
    assert(leaf.previous_sha256.equals(previous), `leaf ${leaves.length} does not name the leaf before it`);
    previous = sha256(value);
    leaves.push(sha256(Buffer.of(0), value));
    const [entry, record] = decode(leaf.event.data);
    console.log(leaf.sequence, leaf.event.type, leaf.event.subject, entry.version, plain(entry, record));
  } else {
    checkpoints.push(verified(value));
  }
  for (const { size, expected } of checkpoints.filter((each) => each.size <= leaves.length)) {
    assert(size === 0 || root(leaves.slice(0, size)).equals(expected), `not the leaves of the checkpoint of ${size}`);
    console.log('checkpoint', size, expected.toString('hex'));
    if (size === count) process.exit();
  }
  checkpoints = checkpoints.filter((each) => each.size > leaves.length);
}

const kafka = new Kafka({ brokers: federation.bootstrap_servers.split(','), logLevel: logLevel.ERROR });
// A group of its own: this client knows no other way to read. Nothing is committed.
const consumer = kafka.consumer({ groupId: randomUUID(), readUncommitted: false });
await consumer.connect();
const topics = ['audit', 'checkpoints'].map((name) => federation.topic_prefix + name);
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ topic, message }) => {
    try {
      take(topic, message.value);
    } catch (error) {
      console.error(error.message);
      process.exit(1);
    }
  },
});
