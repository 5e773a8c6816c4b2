package engineio

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// poll is a session's long-polling state, guarded by its mu.
type poll struct {
	queue [][]byte // packets in text, waiting for the next GET
	bytes int      // their total length
	head  int      // what of bytes is the write into the empty queue

	waiting   chan struct{} // of the GET that is held, nil without one; capacity 1
	posting   bool          // a POST is being served
	interrupt func()        // breaks off the reading of its body, nil once that is read

	farewell []byte        // once ended: the packet that tells the client
	parked   *time.Timer   // once ended between two polls: forgets the session in time
	learned  chan struct{} // made with parked, closed when it is over
}

// openPolling answers a handshake over polling.
func (s *Session) openPolling(w http.ResponseWriter, r *http.Request) {
	s.sendPacket(s.openPacket(transportWebsocket))
	s.begin(r, transportPolling)
	s.mu.Lock()
	packets := s.takeQueue()
	s.mu.Unlock()
	s.writePayload(w, packets)
}

// servePoll answers a GET with all that is waiting, or holds it until something is.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	switch {
	case s.ended && s.polling.parked == nil:
		s.mu.Unlock()
		s.server.refuse(w, r, refuseSession)
		return
	case s.websocket != nil:
		s.mu.Unlock()
		s.server.refuse(w, r, refuseRequest)
		return
	case s.polling.waiting != nil:
		// Two polls at once: the client has lost count, and packets could be split
		// between answers that arrive in any order.
		s.endLocked(ReasonTransportError, gently)
		s.mu.Unlock()
		answerEmpty(w, http.StatusBadRequest)
		return
	}
	waiting := make(chan struct{}, 1)
	s.polling.waiting = waiting
	if s.ended || len(s.polling.queue) > 0 || s.probed() {
		waiting <- struct{}{}
	}
	s.mu.Unlock()

	select {
	case <-waiting:
		s.writePayload(w, s.finishPoll())
	case <-r.Context().Done():
		s.abortPoll()
	}
}

// abortPoll lets go of a held GET whose client went away, and with it of the session,
// unless that has moved to a websocket or has ended while the GET was held.
func (s *Session) abortPoll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.waiting = nil
	if s.websocket == nil {
		s.endLocked(ReasonTransportError, abruptly)
	}
	if s.ended && s.polling.parked == nil {
		s.discardQueue()
	}
}

// finishPoll takes what the held GET is answered with.
func (s *Session) finishPoll() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.waiting = nil
	packets := s.takeQueue()
	switch {
	case s.ended:
		if s.polling.parked != nil {
			packets = append(packets, packetTextNoop)
		}
		packets = append(packets, s.polling.farewell)
		s.unparkLocked()
	case s.websocket != nil:
		packets = append(packets, packetTextClose) // upgraded: this transport is over
	case len(packets) == 0:
		packets = append(packets, packetTextNoop)
	}
	return packets
}

// queuePackets adds packets for the next poll. The queue is bounded like the backlog of a
// websocket: see writeFrames.
func (s *Session) queuePackets(packets ...[]byte) {
	size := 0
	for _, packet := range packets {
		size += len(packet)
	}
	if s.polling.bytes-s.polling.head > s.server.options.BacklogBytes {
		s.server.options.Observer.Discarded(size)
		s.discardQueue()
		s.endLocked(ReasonBacklog, gently)
		return
	}
	if s.polling.bytes == 0 {
		s.polling.head = size
	}
	s.polling.bytes += size
	s.server.options.Observer.BacklogChanged(size)
	s.polling.queue = append(s.polling.queue, packets...)
	s.wakePoll()
}

func (s *Session) wakePoll() {
	select {
	case s.polling.waiting <- struct{}{}:
	default: // no poll is held, or it has been woken
	}
}

func (s *Session) takeQueue() [][]byte {
	packets := s.polling.queue
	s.clearQueue()
	return packets
}

// discardQueue throws away what no poll will come to fetch.
func (s *Session) discardQueue() {
	if s.polling.bytes > 0 {
		s.server.options.Observer.Discarded(s.polling.bytes)
	}
	s.clearQueue()
}

func (s *Session) clearQueue() {
	s.server.options.Observer.BacklogChanged(-s.polling.bytes)
	s.polling.queue, s.polling.bytes, s.polling.head = nil, 0, 0
}

// writePayload answers a GET. A client that does not take its answer within a heartbeat
// is gone; what the answer held cannot be sent again.
func (s *Session) writePayload(w http.ResponseWriter, packets [][]byte) {
	body := appendPayload(nil, s.revision, packets)
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=UTF-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(s.server.patience()))
	_, err := w.Write(body)
	if err == nil {
		err = control.Flush() // while the deadline holds; a small answer is only buffered yet
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.end(ReasonTransportError, abruptly)
		return
	}
	_ = control.SetWriteDeadline(time.Time{})
}

// servePost takes a payload from the client.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if status := s.beginPost(func() { _ = control.SetReadDeadline(time.Unix(1, 0)) }); status != http.StatusOK {
		if status == http.StatusNotFound {
			s.server.refuse(w, r, refuseSession)
			return
		}
		answerEmpty(w, status)
		return
	}
	defer s.finishPost()

	binary := r.Header.Get("Content-Type") == "application/octet-stream"
	if binary && s.revision == V4 {
		s.end(ReasonTransportError, gently)
		answerEmpty(w, http.StatusBadRequest)
		return
	}
	body := bodies.Get().(*bytes.Buffer)
	defer releaseBody(body)
	if !s.readBody(w, r, body) {
		return
	}
	s.finishReading()
	s.receivePayload(newPayload(s.revision, binary, validText(body.Bytes(), binary)))
	writeOK(w)
}

// beginPost claims the session's one POST; the status says why it may not.
func (s *Session) beginPost(interrupt func()) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return http.StatusNotFound
	case s.polling.posting:
		s.endLocked(ReasonTransportError, gently)
		return http.StatusBadRequest
	}
	s.polling.posting, s.polling.interrupt = true, interrupt
	return http.StatusOK
}

// finishReading makes the connection safe from being interrupted: the deadline would
// stay on it and break the next request.
func (s *Session) finishReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.interrupt = nil
}

func (s *Session) finishPost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.posting, s.polling.interrupt = false, nil
}

// readBody reads a POST within the payload limit, which is inclusive. One that is too
// large leaves the session alone, as the reference does; the official client gives up
// on any status but 200 by itself.
func (s *Session) readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) bool {
	limit := int64(s.server.options.MaxPayload)
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &tooLarge):
		answerEmpty(w, http.StatusRequestEntityTooLarge)
	default:
		s.end(ReasonTransportError, gently)
		answerEmpty(w, http.StatusBadRequest)
	}
	return false
}

// receivePayload acts on the packets in order. Those before a bad one count.
func (s *Session) receivePayload(p *payload) {
	for {
		packet, more, err := p.next()
		if err != nil {
			s.end(ReasonParseError, gently)
			return
		}
		if !more || !s.receive(packet) {
			return
		}
	}
}

// writeOK is sent even when the payload was malformed and the session is over: the
// client learns that from its next request.
func writeOK(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "text/html")
	header.Set("Content-Length", "2")
	header.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok")
}

// validText replaces invalid UTF-8, as the reference's decoder of text bodies does.
func validText(body []byte, binary bool) []byte {
	if binary || utf8.Valid(body) {
		return body
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD"))
}

// endByClient ends the session on the client's own close packet. Its pending poll is
// answered with a noop rather than a close.
func (s *Session) endByClient() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.polling.farewell = packetTextNoop
	}
	s.endLocked(ReasonTransportClose, gently)
}

// closePolling lets the client know by the GET that is held, or keeps the session known
// until the next one asks.
func (s *Session) closePolling(how ending) {
	if s.polling.interrupt != nil {
		s.polling.interrupt()
	}
	byClient := s.polling.farewell != nil
	if !byClient {
		s.polling.farewell = packetTextClose
	}
	switch {
	case s.polling.waiting != nil:
		s.wakePoll()
	case how != abruptly && !byClient:
		s.polling.learned = make(chan struct{})
		s.polling.parked = time.AfterFunc(parkTime, s.unpark)
		return
	default:
		s.discardQueue()
	}
	s.server.forget(s)
}

// unpark forgets a session whose end no poll came to learn.
func (s *Session) unpark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unparkLocked()
}

func (s *Session) unparkLocked() {
	if s.polling.parked == nil {
		return
	}
	s.polling.parked.Stop()
	s.polling.parked = nil
	close(s.polling.learned)
	s.discardQueue()
	s.server.forget(s)
}

// bodies holds buffers for POST bodies between requests.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// largeBody is the capacity above which a buffer is not kept, so that one large post does
// not hold its memory for ever.
const largeBody = 64 << 10

func releaseBody(body *bytes.Buffer) {
	if body.Cap() > largeBody {
		return
	}
	body.Reset()
	bodies.Put(body)
}
