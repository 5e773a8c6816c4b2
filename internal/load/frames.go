package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opClose        = 8
	opPing         = 9
)

// maxMessage bounds one message, in bytes: more than any server of the contract sends.
const maxMessage = 16 << 20

// frames cuts a stream of a server's bytes into messages. What is complete in a chunk is
// handed out where it lies; only what a chunk cuts in two is copied.
type frames struct {
	rest    []byte // begin of a frame that is not complete
	message []byte // of a message in several frames
}

// feed takes a chunk and calls handle for every frame that is complete. The payload is good
// until handle returns.
func (f *frames) feed(chunk []byte, handle func(opcode byte, payload []byte) error) error {
	if len(f.rest) > 0 {
		f.rest = append(f.rest, chunk...)
		chunk = f.rest
	}
	for {
		opcode, final, payload, size, err := cut(chunk)
		if err != nil {
			return err
		}
		if size == 0 {
			f.rest = append(f.rest[:0], chunk...)
			return nil
		}
		chunk = chunk[size:]
		if err := f.take(opcode, final, payload, handle); err != nil {
			return err
		}
	}
}

func (f *frames) take(opcode byte, final bool, payload []byte, handle func(byte, []byte) error) error {
	switch {
	case opcode >= opClose || final && opcode != opContinuation:
		return handle(opcode, payload)
	case len(f.message)+len(payload) > maxMessage:
		return errors.New("a message of too many frames")
	}
	f.message = append(f.message, payload...)
	if !final {
		return nil
	}
	err := handle(opText, f.message)
	f.message = f.message[:0]
	return err
}

// cut reads the frame at the beginning of chunk; size is 0 when it is not all there.
func cut(chunk []byte) (opcode byte, final bool, payload []byte, size int, err error) {
	if len(chunk) < 2 {
		return 0, false, nil, 0, nil
	}
	opcode, final = chunk[0]&0x0f, chunk[0]&0x80 != 0
	if chunk[1]&0x80 != 0 {
		return 0, false, nil, 0, errors.New("a masked frame of a server")
	}
	header, length := 2, uint64(chunk[1])
	switch {
	case length == 126 && len(chunk) >= 4:
		header, length = 4, uint64(binary.BigEndian.Uint16(chunk[2:]))
	case length == 127 && len(chunk) >= 10:
		header, length = 10, binary.BigEndian.Uint64(chunk[2:])
	case length >= 126:
		return 0, false, nil, 0, nil
	}
	if length > maxMessage {
		return 0, false, nil, 0, fmt.Errorf("a frame of %d bytes", length)
	}
	size = header + int(length) // bounded above
	if len(chunk) < size {
		return 0, false, nil, 0, nil
	}
	return opcode, final, chunk[header:size], size, nil
}
