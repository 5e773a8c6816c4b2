package load

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// collect feeds chunks and returns the frames that were handed out, as text.
func collect(chunks ...[]byte) (got []string, err error) {
	var f frames
	for _, chunk := range chunks {
		if err = f.feed(chunk, func(opcode byte, payload []byte) error {
			got = append(got, fmt.Sprintf("%d %s", opcode, payload))
			return nil
		}); err != nil {
			return got, err
		}
	}
	return got, nil
}

// A stream may be cut anywhere; what comes out is the same.
func TestFramesWhereverTheyAreCut(t *testing.T) {
	long := strings.Repeat("x", 300)
	stream := slices.Concat(
		[]byte("\x81\x02hi"), []byte("\x89\x01p"), // text, ping
		[]byte("\x81\x7e\x01\x2c"), []byte(long), // 16 bits of length
		[]byte("\x81\x7f\x00\x00\x00\x00\x00\x00\x01\x2c"), []byte(long), // 64 bits
		[]byte("\x01\x01a"), []byte("\x89\x00"), []byte("\x00\x01b"), []byte("\x80\x01c"), // fragments around a ping
		[]byte("\x81\x00"), // empty
	)
	want := []string{"1 hi", "9 p", "1 " + long, "1 " + long, "9 ", "1 abc", "1 "}
	for at := range stream {
		got, err := collect(stream[:at], stream[at:])
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("cut at %d: %q, %v", at, got, err)
		}
	}
	var single [][]byte
	for i := range stream {
		single = append(single, stream[i:i+1])
	}
	if got, err := collect(single...); err != nil || !slices.Equal(got, want) {
		t.Errorf("byte by byte: %q, %v", got, err)
	}
}

func TestFramesNoServerMaySend(t *testing.T) {
	for name, stream := range map[string]string{
		"masked":                      "\x81\x82abcdxy",
		"too long":                    "\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00",
		"too long by its highest bit": "\x81\x7f\xff\x00\x00\x00\x00\x00\x00\x00",
	} {
		if got, err := collect([]byte(stream)); err == nil {
			t.Errorf("%s: %q and no error", name, got)
		}
	}
	fragment := append([]byte("\x01\x7f\x00\x00\x00\x00\x00\xff\xff\xff"), make([]byte, 0xffffff)...)
	if _, err := collect(fragment, []byte("\x80\x05abcde")); err == nil {
		t.Error("a message longer than the bound in fragments was taken")
	}
}

// FuzzFrames: no stream is read past its end, and where it is cut makes no difference.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x02hi\x89\x01p"), 3)
	f.Add([]byte("\x01\x01a\x80\x01b"), 1)
	f.Add([]byte("\x81\x7e\x00\x03abc"), 2)
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		whole, wholeErr := collect(bytes.Clone(stream))
		at = min(max(at, 0), len(stream))
		cut, cutErr := collect(bytes.Clone(stream[:at]), bytes.Clone(stream[at:]))
		if !slices.Equal(whole, cut) || (wholeErr == nil) != (cutErr == nil) {
			t.Fatalf("whole %q, %v; cut at %d %q, %v", whole, wholeErr, at, cut, cutErr)
		}
	})
}
