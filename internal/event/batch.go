package event

// Batch is events for the same set of sessions, in the order they are to be written. It
// belongs to one goroutine; the byte slices it hands out are immutable and may be kept.
type Batch struct {
	events []*Event
	forms  [forms]Encoded
}

// NewBatch makes a batch of events, which must not be changed afterwards.
func NewBatch(events ...*Event) *Batch {
	b := &Batch{events: events}
	for form := range b.forms {
		b.forms[form] = Encoded{batch: b, form: Form(form)}
	}
	return b
}

// Len is the number of events.
func (b *Batch) Len() int { return len(b.events) }

// Events are the batch's events in order; the slice is not to be changed.
func (b *Batch) Events() []*Event { return b.events }

// In is the batch in one form, encoded at the first asking.
func (b *Batch) In(form Form) *Encoded { return &b.forms[form] }

// Encoded is a batch in one form, ready for every transport.
type Encoded struct {
	batch  *Batch
	form   Form
	frames []byte
	texts  [][]byte
}

// Frames is the batch as complete websocket frames, one per event, joined: one write
// gives a member all of it.
func (e *Encoded) Frames() []byte {
	if e.frames == nil {
		e.frames = e.joinFrames()
	}
	return e.frames
}

func (e *Encoded) joinFrames() []byte {
	events := e.batch.events
	if len(events) == 1 {
		return events[0].encode(e.form).frame
	}
	size := 0
	for _, event := range events {
		size += len(event.encode(e.form).frame)
	}
	frames := make([]byte, 0, size)
	for _, event := range events {
		frames = append(frames, event.encode(e.form).frame...)
	}
	return frames
}

// Texts is the batch as Engine.IO packets in text, for the polling transport.
func (e *Encoded) Texts() [][]byte {
	if e.texts == nil {
		e.texts = make([][]byte, len(e.batch.events))
		for i, event := range e.batch.events {
			e.texts[i] = event.encode(e.form).text
		}
	}
	return e.texts
}
