// Reads a federation's audit log with no code of Fluvial's: prints every event, checks the hash chain and checkpoints.
//
//     node consume.js FEDERATION.JSON FINGERPRINTS.JSON [COUNT]
//
// It follows the log; with COUNT it ends once a checkpoint over so many leaves is verified. What is no record of the log
// is told on standard error, and passed over; what contradicts the log ends it.

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
  const mark = data.toString('hex', 2, 10);
  assert(data.toString('hex', 0, 2) === 'c301' && types.has(mark), 'no record of a schema that is known');
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

// What the function gives of bytes that anybody may have written; undefined, and told, where it fails.
function attempt(where, what, make) {
  try {
    return make();
  } catch (error) {
    console.error(`${where} is passed over: ${what}: ${error.message}`);
    return undefined;
  }
}

function leafOf(value) {
  const [entry, leaf] = decode(value);
  assert.equal(entry.record, 'SequencedEvent');
  return leaf;
}

// The event's record, unless a newer release wrote it, of which these schemas know nothing.
function told(data) {
  try {
    const [entry, record] = decode(data);
    return `${entry.version} ${plain(entry, record)}`;
  } catch (error) {
    return `cannot be read: ${error.message}`;
  }
}

function take(topic, where, value) {
  if (topic === `${federation.topic_prefix}audit`) {
    const leaf = attempt(where, 'no leaf', () => leafOf(value));
    if (leaf === undefined) return;
    if (leaf.sequence < leaves.length) {
      console.error(`${where} is passed over: leaf ${leaf.sequence} is there already`);
      return;
    }
    assert.equal(leaf.sequence, leaves.length, `leaf ${leaves.length} has another number`);
    assert(leaf.previous_sha256.equals(previous), `leaf ${leaves.length} does not name the leaf before it`);
    previous = sha256(value);
    leaves.push(sha256(Buffer.of(0), value));
    console.log(leaf.sequence, leaf.event.type, leaf.event.subject, told(leaf.event.data));
  } else {
    const checkpoint = attempt(where, 'no checkpoint of this log', () => verified(value));
    if (checkpoint !== undefined) checkpoints.push(checkpoint);
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
      take(topic, `${topic}@${message.offset}`, message.value ?? Buffer.alloc(0));
    } catch (error) {
      console.error(error.message);
      process.exit(1);
    }
  },
});
