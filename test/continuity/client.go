package continuity

// client is the state of reading one log.
type client struct {
	verdict *Verdict
	known   channel
	name    string

	connects int
	seats    map[int]*seat
	line     uint64 // highest sequence of all rooms, replays apart
}

// seat is what one client has seen of one room.
type seat struct {
	from    uint64       // updates after this one are due: the position of the first answer
	answer  uint64       // position of the latest answer
	high    uint64       // of what was heard last, whatever the kind
	got     map[int]bool // by number
	strange []Entry      // updates since the last RESYNC that came at another position than they have
	excused []span
	resyncs int
}

// span is the sequences after one up to another.
type span struct{ after, upTo uint64 }

func judgeClient(v *Verdict, known channel, log Log) {
	c := &client{verdict: v, known: known, name: log.Client, seats: make(map[int]*seat)}
	for _, entry := range log.Entries {
		c.read(entry)
	}
	for room, s := range c.seats {
		c.settle(room, s)
	}
}

func (c *client) read(entry Entry) {
	switch entry.Kind {
	case Connected:
		c.connect(entry.Recovered)
	case Disconnected:
		c.verdict.Disconnects[entry.Text]++
	case ConnectError:
		c.verdict.ConnectErrors[entry.Text]++
	case Refused:
		c.verdict.Refusals[entry.Text]++
	case Answered:
		c.answer(entry)
	case Updated:
		c.update(entry)
	case Resynced:
		c.resync(entry)
	}
}

func (c *client) connect(recovered bool) {
	c.verdict.Connects++
	c.connects++
	if c.connects == 1 {
		return
	}
	c.verdict.Reconnects++
	if !recovered {
		c.verdict.NotRecovered++
	}
}

func (c *client) answer(entry Entry) {
	s := c.seats[entry.Room]
	if s == nil {
		s = &seat{from: entry.Sequence, high: entry.Sequence, got: make(map[int]bool)}
		c.seats[entry.Room] = s
	}
	s.answer = entry.Sequence
}

func (c *client) update(entry Entry) {
	c.verdict.Delivered++
	s := c.seats[entry.Room]
	if s == nil {
		c.verdict.Invented++
		c.verdict.fault(c.name, "update %d of room %d before the answer to SUBSCRIBE", entry.Number, entry.Room)
		return
	}
	// What the answer's position covers is replayed to one room, before or after what other
	// rooms have in the same part of the sequence.
	replayed := entry.Sequence <= s.answer
	strange := c.known.sequence(entry.Room, entry.Number) != entry.Sequence
	switch {
	case strange:
		s.strange = append(s.strange, entry)
	case s.got[entry.Number]:
		c.verdict.Doubled++
		c.verdict.fault(c.name, "update %d of room %d (%d) again", entry.Number, entry.Room, entry.Sequence)
	case entry.Sequence <= s.high:
		c.verdict.Disordered++
		c.verdict.fault(c.name, "update %d of room %d (%d) after %d of that room", entry.Number, entry.Room, entry.Sequence, s.high)
	case entry.Sequence <= c.line && !replayed:
		c.verdict.Disordered++
		c.verdict.fault(c.name, "update %d of room %d (%d) after %d of another", entry.Number, entry.Room, entry.Sequence, c.line)
	}
	s.got[entry.Number] = s.got[entry.Number] || !strange
	s.high = max(s.high, entry.Sequence)
	if !replayed {
		c.line = max(c.line, entry.Sequence)
	}
}

// resync excuses what is missing since the room's last word, up to the position it names. What
// was passed over before, with later updates presented as if nothing were missing, stays lost.
// It also takes back what Redis forgot after it was delivered, and got once more in a retry.
func (c *client) resync(entry Entry) {
	c.verdict.Resyncs++
	s := c.seats[entry.Room]
	if s == nil {
		c.verdict.Invented++
		c.verdict.fault(c.name, "RESYNC of room %d before the answer to SUBSCRIBE", entry.Room)
		return
	}
	s.resyncs++
	if entry.Sequence < s.high {
		c.verdict.Disordered++
		c.verdict.fault(c.name, "RESYNC of room %d (%d) after %d of that room", entry.Room, entry.Sequence, s.high)
		return
	}
	c.verdict.Voided += len(s.strange)
	s.strange = nil
	s.excused = append(s.excused, span{after: s.high, upTo: entry.Sequence})
	s.high = entry.Sequence
}

// settle counts what should have come and did not.
func (c *client) settle(room int, s *seat) {
	v := c.verdict
	v.MostResyncs = max(v.MostResyncs, s.resyncs)
	if v.FewestResyncs < 0 || s.resyncs < v.FewestResyncs {
		v.FewestResyncs = s.resyncs
	}
	for _, entry := range s.strange {
		v.Invented++
		v.fault(c.name, "update %d of room %d came as %d, published as %d", entry.Number, room, entry.Sequence, c.known.sequence(room, entry.Number))
	}
	if c.known[room] == nil {
		return
	}
	for _, p := range c.known[room].ordered {
		switch {
		case p.Sequence <= s.from:
			continue
		case s.got[p.Number]:
		case s.excuses(p.Sequence):
			v.Excused++
		default:
			v.Lost++
			v.fault(c.name, "update %d of room %d (%d) is missing", p.Number, room, p.Sequence)
		}
		v.Due++
	}
}

func (s *seat) excuses(sequence uint64) bool {
	for _, e := range s.excused {
		if sequence > e.after && sequence <= e.upTo {
			return true
		}
	}
	return false
}

// sequence is 0 for what was never published.
func (c channel) sequence(room, number int) uint64 {
	if c[room] == nil {
		return 0
	}
	return c[room].sequences[number]
}
