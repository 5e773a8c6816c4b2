package load

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Progress tells how far a run is: on a terminal by a line that is drawn again and again,
// elsewhere by a line every few seconds and at the end of each phase.
type Progress struct {
	w     io.Writer
	width func() int // of the terminal, in columns; nil elsewhere

	phase  Phase
	latest Counts    // of the last moment
	last   Moment    // from which the rate is counted
	at     time.Time // of last
	drawn  int       // columns of the line that stands
}

// lineEvery is how often a line is written where there is no terminal.
const lineEvery = 5 * time.Second

// NewProgress makes a Progress that writes to w. width is how many columns a terminal has,
// asked before each line; nil says that w is none.
func NewProgress(w io.Writer, width func() int) *Progress { return &Progress{w: w, width: width} }

// Watch is for Plan.Run.
func (p *Progress) Watch(m Moment) {
	now := time.Now()
	if m.Phase != p.phase {
		p.phase, p.last, p.at = m.Phase, Moment{Counts: p.latest}, now
	}
	p.latest = m.Counts
	switch {
	case p.width != nil:
		p.draw(m, now)
	case m.Last || now.Sub(p.at) >= lineEvery:
		fmt.Fprintln(p.w, p.text(m))
		p.last, p.at = m, now
	}
}

// draw puts a line over the one before, no longer than the terminal is wide: a longer one
// would wrap, and stay.
func (p *Progress) draw(m Moment, now time.Time) {
	const bar = 20
	full := int(m.Share * bar)
	text := fmt.Sprintf("[%s%s] %s", strings.Repeat("#", full), strings.Repeat("-", bar-full), p.text(m))
	if width := p.width() - 1; width > 0 && len(text) > width {
		text = text[:width] // of ASCII alone
	}
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(0, p.drawn-len(text))))
	p.drawn = len(text)
	if m.Last {
		fmt.Fprintln(p.w)
		p.drawn = 0
	}
	if now.Sub(p.at) >= time.Second {
		p.last, p.at = m, now
	}
}

func (p *Progress) text(m Moment) string {
	text := fmt.Sprintf("%-10s %5.1f s  %d/%d clients", m.Phase, m.Elapsed.Seconds(), m.Counts.Present, m.Clients)
	if m.Phase != Joining {
		text += fmt.Sprintf("  published %d  received %d", m.Accepted, m.Counts.Received)
		if seconds := (m.Elapsed - p.last.Elapsed).Seconds(); m.Phase == Publishing && seconds > 0 {
			text += fmt.Sprintf(" (%.0f/s)", float64(m.Counts.Received-p.last.Counts.Received)/seconds)
		}
		if m.Latency.TotalCount() > 0 {
			text += fmt.Sprintf("  p99 %.1f ms", float64(m.Latency.ValueAtQuantile(99))/1000)
		}
	}
	if m.Counts.Losses > 0 {
		text += fmt.Sprintf("  lost connections %d", m.Counts.Losses)
	}
	return text
}
