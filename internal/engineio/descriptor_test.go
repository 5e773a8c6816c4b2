package engineio_test

import (
	"net"
	"sync"
	"testing"
)

// The door writes to a descriptor's number, which the kernel gives to the next connection as
// soon as this one is closed. While connections come and go and everybody is written to at
// the same time, nobody may read what was meant for another.
func TestNobodyReadsWhatWasMeantForAnother(t *testing.T) {
	const clients, connections, read = 8, 25, 20
	h := start(t)
	var senders sync.WaitGroup
	h.onAccept = func(p *peer) {
		senders.Go(func() {
			id := []byte(p.session.ID())
			for ended := false; !ended; {
				select {
				case <-p.closed:
					ended = true // and one more, behind the end
				default:
				}
				p.session.SendText(id)
			}
		})
	}
	var reading sync.WaitGroup
	for range clients {
		reading.Go(func() {
			for range connections {
				w := h.upgrade("EIO=4&transport=websocket", "")
				var own string
				for range read {
					text := w.text()
					switch {
					case text[0] == '0':
						own = "4" + openSID(t, text)
					case own == "":
						own = text // the sender was there before the open packet
					case text != own:
						t.Errorf("read %q, own is %q", text, own)
						return
					}
				}
				_ = w.conn.(*net.TCPConn).SetLinger(0) // a reset: the server closes at once
				_ = w.conn.Close()
			}
		})
	}
	reading.Wait()
	senders.Wait()
}
