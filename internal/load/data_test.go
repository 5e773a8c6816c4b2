package load

import (
	"encoding/json"
	"testing"
)

func TestDataComesBack(t *testing.T) {
	for _, size := range []int{0, 40, 200, 65536} {
		data := appendData(nil, 12345, 1_234_567_890_123, padding(size))
		if !json.Valid(data) || len(data) != max(size, 39) {
			t.Errorf("%d bytes for %d, valid %v", len(data), size, json.Valid(data))
		}
		delivered := `{"event":"LOAD","payload":` + string(data) + `,"userId":"load","position":"e:1"}`
		number, due, err := parseData([]byte(delivered))
		if err != nil || number != 12345 || due != 1_234_567_890_123 {
			t.Errorf("%d bytes: number %d, due %d, %v", size, number, due, err)
		}
	}
}

func TestDataOfOthers(t *testing.T) {
	for _, text := range []string{``, `{"event":"X"}`, `{"at":1}`, `{"at":1,"x":2}`, `{"at":`} {
		if number, _, err := parseData([]byte(text)); err == nil {
			t.Errorf("%q: number %d", text, number)
		}
	}
}

// FuzzData: nothing that a server sends ends the process, and what was published is found.
func FuzzData(f *testing.F) {
	f.Add([]byte(`{"event":"LOAD","payload":`), uint64(7), int64(1000))
	f.Fuzz(func(t *testing.T, before []byte, number uint64, due int64) {
		_, _, _ = parseData(before) // must not panic
		if due < 0 || number > 1<<60 {
			return
		}
		got, at, err := parseData(appendData(nil, number, due, nil))
		if err != nil || got != number || at != due {
			t.Fatalf("number %d, due %d: %d, %d, %v", number, due, got, at, err)
		}
	})
}
