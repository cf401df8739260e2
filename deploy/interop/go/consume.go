// Reads a federation's audit log with no code of Fluvial's: prints every event, checks the hash chain and checkpoints.
//
//	go run . FEDERATION.JSON FINGERPRINTS.JSON [COUNT]
//
// It follows the log; with COUNT it ends once a checkpoint over so many leaves is verified. What is no record of the log
// is told on standard error, and passed over; what contradicts the log ends it.
package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

type federation struct {
	BootstrapServers string `json:"bootstrap_servers"`
	TopicPrefix      string `json:"topic_prefix"`
	LogKey           string `json:"log_key"`
}

type version struct {
	Record  string
	Version int
	Schema  json.RawMessage
	parsed  *avro.RecordSchema
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func demand(holds bool, format string, values ...any) {
	if !holds {
		log.Fatalf(format, values...)
	}
}

func read(path string, into any) {
	data, err := os.ReadFile(path)
	check(err)
	check(json.Unmarshal(data, into))
}

// decode reads Avro single-object encoding: C3 01, the fingerprint of the schema that wrote it, binary data.
func decode(versions map[string]*version, data []byte) (*version, map[string]any, error) {
	if len(data) <= 10 || !bytes.HasPrefix(data, []byte{0xC3, 1}) || versions[hex.EncodeToString(data[2:10])] == nil {
		return nil, nil, errors.New("no record of a schema that is known")
	}
	found, record := versions[hex.EncodeToString(data[2:10])], map[string]any{}
	return found, record, limited.Unmarshal(found.parsed, data[10:], &record)
}

// leafOf gives a leaf of the log and its number.
func leafOf(versions map[string]*version, data []byte) (map[string]any, int64, error) {
	found, leaf, err := decode(versions, data)
	if err == nil && found.Record != "SequencedEvent" {
		err = errors.New("another record")
	}
	if err != nil {
		return nil, 0, err
	}
	return leaf, leaf["sequence"].(int64), nil
}

// passOver tells of a record that is none of the log's: anybody may write to a broker that asks nobody who he is.
func passOver(message *kgo.Record, why any) {
	fmt.Fprintf(os.Stderr, "%s@%d is passed over: %v\n", message.Topic, message.Offset, why)
}

// plain gives the record's numbers, texts, enums and truth values, in the order of its schema.
func plain(found *version, record map[string]any) string {
	var parts []string
	for _, field := range found.parsed.Fields() {
		switch value := record[field.Name()].(type) {
		case string, int, int64, bool:
			parts = append(parts, fmt.Sprintf("%s=%v", field.Name(), value))
		}
	}
	return strings.Join(parts, " ")
}

// root is the Merkle tree hash (RFC 6962, 2.1) over the hashes of leaves.
func root(hashes [][32]byte) [32]byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	split := 1 << (bits.Len(uint(len(hashes)-1)) - 1)
	left, right := root(hashes[:split]), root(hashes[split:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// limited decodes no more than a record of the broker may have, whatever sizes its bytes claim.
var limited = avro.Config{MaxByteSliceSize: 4 << 20, MaxSliceAllocSize: 4 << 20}.Freeze()

type checkpoint struct {
	size int
	root []byte
}

// verified reads a checkpoint (C2SP tlog-checkpoint), its signature checked with the federation's key.
func verified(logKey string, note []byte) (checkpoint, error) {
	parts := strings.SplitN(logKey, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	text, signatures, _ := strings.Cut(string(note), "\n\n")
	genuine := false
	for _, line := range strings.Split(signatures, "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[1] == parts[0] {
			signature, err := base64.StdEncoding.DecodeString(words[2])
			genuine = err == nil && len(signature) > 4 && ed25519.Verify(key[1:], []byte(text+"\n"), signature[4:])
		}
	}
	lines := strings.Split(text, "\n")
	if !genuine || lines[0] != parts[0] || len(lines) < 3 {
		return checkpoint{}, errors.New("no checkpoint of this log")
	}
	size, err := strconv.Atoi(lines[1])
	if err != nil {
		return checkpoint{}, err
	}
	expected, err := base64.StdEncoding.DecodeString(lines[2])
	return checkpoint{size, expected}, err
}

func main() {
	var parties federation
	versions := map[string]*version{}
	read(os.Args[1], &parties)
	read(os.Args[2], &versions)
	for _, each := range versions {
		schema, err := avro.ParseBytesWithCache(each.Schema, "", &avro.SchemaCache{})
		check(err)
		each.parsed = schema.(*avro.RecordSchema)
	}
	count := -1
	if len(os.Args) > 3 {
		var err error
		count, err = strconv.Atoi(os.Args[3])
		check(err)
	}
	audit := parties.TopicPrefix + "audit"
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(parties.BootstrapServers, ",")...),
		kgo.ConsumeTopics(audit, parties.TopicPrefix+"checkpoints"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	check(err)
	defer client.Close()

	var leaves [][32]byte
	var previous [32]byte
	var pending []checkpoint
	for {
		fetched := client.PollFetches(context.Background())
		check(fetched.Err())
		for _, message := range fetched.Records() {
			if message.Topic == audit {
				leaf, number, err := leafOf(versions, message.Value)
				if err != nil {
					passOver(message, err)
					continue
				}
				if number < int64(len(leaves)) {
					passOver(message, fmt.Sprintf("leaf %d is there already", number))
					continue
				}
				demand(number == int64(len(leaves)), "leaf %d has another number", len(leaves))
				before := leaf["previous_sha256"].([]byte)
				demand(bytes.Equal(before, previous[:]), "leaf %d does not name the leaf before it", len(leaves))
				previous = sha256.Sum256(message.Value)
				leaves = append(leaves, sha256.Sum256(append([]byte{0}, message.Value...)))
				event := leaf["event"].(map[string]any)
				found, record, err := decode(versions, event["data"].([]byte))
				if err != nil { // a newer release's, of which these schemas know nothing
					fmt.Println(number, event["type"], event["subject"], "cannot be read:", err)
				} else {
					fmt.Println(number, event["type"], event["subject"], found.Version, plain(found, record))
				}
			} else if signed, err := verified(parties.LogKey, message.Value); err != nil {
				passOver(message, err)
			} else {
				pending = append(pending, signed)
			}
			var later []checkpoint
			for _, each := range pending {
				if each.size > len(leaves) {
					later = append(later, each)
					continue
				}
				if each.size > 0 {
					found := root(leaves[:each.size])
					demand(bytes.Equal(found[:], each.root), "not the leaves of the checkpoint of %d", each.size)
				}
				fmt.Println("checkpoint", each.size, hex.EncodeToString(each.root))
				if each.size == count {
					return
				}
			}
			pending = later
		}
	}
}
