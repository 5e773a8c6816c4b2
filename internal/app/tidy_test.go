package app

import "testing"

// A rush is tidied up after once, when two quiet spans have followed it; a busy process is
// left alone, and so is one that has hardly allocated anything.
func TestTidyAfterARush(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for name, spans := range map[string]struct {
		allocated []uint64 // in each span
		due       []bool
	}{
		"rush":       {[]uint64{40 * mb, 1, 1, 1, 1}, []bool{false, false, true, false, false}},
		"two rushes": {[]uint64{40 * mb, 1, 30 * mb, 1, 1}, []bool{false, false, false, false, true}},
		"again":      {[]uint64{40 * mb, 1, 1, 16 * mb, 1, 1}, []bool{false, false, true, false, false, true}},
		"busy":       {[]uint64{mb, mb, mb, 20 * mb, mb}, []bool{false, false, false, false, false}},
		"little":     {[]uint64{15 * mb, 1, 1, 1}, []bool{false, false, false, false}},
		"slowly":     {[]uint64{16*mb - 2, 1, 1, 1}, []bool{false, false, true, false}},
	} {
		var rush tidying
		var sum uint64
		for i, bytes := range spans.allocated {
			sum += bytes
			if due := rush.due(sum); due != spans.due[i] {
				t.Errorf("%s: due in span %d: %t, want %t", name, i, due, spans.due[i])
			}
		}
	}
}

// What is judged by must count what is allocated.
func TestAllocatedCounts(t *testing.T) {
	before := allocated()
	sink = make([]byte, worthBytes)
	if grown := allocated() - before; grown < worthBytes {
		t.Errorf("counted %d bytes of an allocation of %d", grown, worthBytes)
	}
}

var sink []byte
