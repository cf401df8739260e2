package main

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/hamba/avro/v2"
)

// What a producer in Go must set: one block for an array, without the block's size in bytes. The default writes both
// otherwise; it is legal Avro, and refused with NON_CANONICAL, because a signed record has one form.
var canonical = avro.Config{BlockLength: math.MaxInt, DisableBlockSizeHeader: true}.Freeze()

func TestRecordsAreWrittenInTheOneFormThatIsAccepted(t *testing.T) {
	versions := map[string]*version{}
	read("../../../schemas/bundle/fingerprints.json", &versions)
	for _, name := range []string{"Envelope", "ModelUpdate", "EnrolmentRequest"} {
		var golden struct{ Bytes string }
		read("../../../tests/golden/records/"+name+"/1.json", &golden)
		data, err := hex.DecodeString(golden.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := avro.ParseBytesWithCache(versions[hex.EncodeToString(data[2:10])].Schema, "", &avro.SchemaCache{})
		if err != nil {
			t.Fatal(err)
		}
		var record map[string]any
		if err := avro.Unmarshal(schema, data[10:], &record); err != nil {
			t.Fatal(err)
		}
		written, err := canonical.Marshal(schema, record)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written, data[10:]) {
			t.Errorf("%s: %x is not %x", name, written, data[10:])
		}
		if byDefault, _ := avro.Marshal(schema, record); bytes.Equal(byDefault, written) {
			t.Errorf("%s: the default form would do, so the rule is not needed any more", name)
		}
	}
}
