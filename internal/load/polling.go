package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// pollTimeout bounds one poll: longer than any server's ping interval.
const pollTimeout = 90 * time.Second

// polling is one session over long-polling.
type polling struct {
	http     *http.Client
	address  string // with everything but the session's id
	revision int
	sid      string
}

// openPolling begins a session and returns what came, the open packet first: servers of
// revision 3 send that of the root namespace with it.
func openPolling(ctx context.Context, client *http.Client, base string, revision int) (*polling, [][]byte, error) {
	p := &polling{
		http: client, revision: revision,
		address: fmt.Sprintf("%s/socket.io/?EIO=%d&transport=polling", base, revision),
	}
	packets, err := p.poll(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(packets) == 0 || len(packets[0]) == 0 || packets[0][0] != '0' {
		return nil, nil, fmt.Errorf("the first poll brought %q", packets)
	}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(packets[0][1:], &open); err != nil {
		return nil, nil, fmt.Errorf("the open packet: %w", err)
	}
	p.sid = open.SID
	p.address += "&sid=" + p.sid
	return p, packets, nil
}

// poll waits for packets.
func (p *polling) poll(ctx context.Context) ([][]byte, error) {
	body, err := p.do(ctx, http.MethodGet, nil)
	if err != nil {
		return nil, err
	}
	if p.revision == 4 {
		return bytes.Split(body, []byte{0x1e}), nil
	}
	return splitPayload(body)
}

// post sends one packet.
func (p *polling) post(ctx context.Context, packet []byte) error {
	if p.revision == 3 {
		packet = append(strconv.AppendInt(nil, int64(length16(packet)), 10), append([]byte{':'}, packet...)...)
	}
	_, err := p.do(ctx, http.MethodPost, packet)
	return err
}

func (p *polling) do(ctx context.Context, method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	response, err := p.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %.200s", method, response.Status, answer)
	}
	return answer, nil
}

// splitPayload cuts a payload of Engine.IO 3, `<length>:<packet>` again and again, with
// lengths in UTF-16 units.
func splitPayload(body []byte) ([][]byte, error) {
	var packets [][]byte
	for len(body) > 0 {
		digits, rest, found := bytes.Cut(body, []byte{':'})
		units, err := strconv.Atoi(string(digits))
		if err != nil || !found || units < 0 {
			return nil, errors.New("a payload without a length")
		}
		end := 0
		for ; units > 0 && end < len(rest); units-- {
			r, size := utf8.DecodeRune(rest[end:])
			if utf16.RuneLen(r) == 2 {
				units--
			}
			end += size
		}
		if units > 0 {
			return nil, errors.New("a payload shorter than its length")
		}
		packets = append(packets, rest[:end])
		body = rest[end:]
	}
	return packets, nil
}

// length16 is the length of UTF-8 text in UTF-16 units.
func length16(text []byte) int {
	n := 0
	for _, r := range string(text) {
		n += utf16.RuneLen(r)
	}
	return n
}
