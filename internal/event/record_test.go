package event

import (
	"errors"
	"strings"
	"testing"
)

func TestTenancyCheck(t *testing.T) {
	sound := func() Tenancy {
		return Tenancy{
			PID: strings.Repeat("p", 64), Generation: 1, SID: "aZ0_-", Subject: strings.Repeat("ż", 128), Instance: "one",
		}
	}
	if err := sound().Check(); err != nil {
		t.Errorf("a sound tenancy is refused: %v", err)
	}
	for want, spoil := range map[string]func(*Tenancy){
		"generation must be at least 1":              func(t *Tenancy) { t.Generation = 0 },
		"pid is required":                            func(t *Tenancy) { t.PID = "" },
		"pid may hold only A-Z a-z 0-9 _ -":          func(t *Tenancy) { t.PID = "a.b" },
		"pid is longer than 64 characters":           func(t *Tenancy) { t.PID += "p" },
		"sid is required":                            func(t *Tenancy) { t.SID = "" },
		"sid may hold only A-Z a-z 0-9 _ -":          func(t *Tenancy) { t.SID = "a~b" },
		"sid is longer than 64 characters":           func(t *Tenancy) { t.SID = strings.Repeat("s", 65) },
		"subject is longer than 256 bytes":           func(t *Tenancy) { t.Subject += "u" },
		"instance is required":                       func(t *Tenancy) { t.Instance = "" },
		"instance may hold only A-Z a-z 0-9 . _ ~ -": func(t *Tenancy) { t.Instance = "a b" },
	} {
		tenancy := sound()
		spoil(&tenancy)
		if err := tenancy.Check(); err == nil || err.Error() != want {
			t.Errorf("Check: %v, want %s", err, want)
		}
	}
}

func TestRecordCheck(t *testing.T) {
	record := Record{Tenancy: Tenancy{PID: "p", Generation: 1, SID: "s", Instance: "one"}}
	record.Stays = []Stay{{Room: Room{Workspace: "w", App: "a"}, Joined: Position{Epoch: "e", Sequence: 1}}}
	if err := record.Check(); err != nil {
		t.Errorf("a sound record is refused: %v", err)
	}
	record.Stays = append(record.Stays, Stay{Room: Room{Workspace: "w", App: "b"}})
	if err := record.Check(); !errors.Is(err, ErrBadPosition) || !strings.Contains(err.Error(), "w/b") {
		t.Errorf("a stay without a position: %v, want ErrBadPosition naming w/b", err)
	}
	if err := (Record{}).Check(); err == nil {
		t.Error("a record of no session is accepted")
	}
}

func TestClaimCheck(t *testing.T) {
	if err := (Claim{PID: "p", Instance: "one"}).Check(); err != nil {
		t.Errorf("a claim by nobody in particular is refused: %v", err)
	}
	// What a client offers as pid may be anything.
	if err := (Claim{PID: "p\r\n", Instance: "one"}).Check(); err == nil {
		t.Error("a pid with a line break is accepted")
	}
}

// Instances of different versions must agree on it.
func TestDigestPID(t *testing.T) {
	const pid, want = "3AhVCfBlbxmPCTh5QhJjPQ", "92QNvpzXqYGSz29-GEVzeA"
	if got := DigestPID(pid); got != want || !CheckDigest(got) {
		t.Errorf("DigestPID(%q) = %q, sound: %v; want %q, sound", pid, got, CheckDigest(got), want)
	}
	for _, text := range []string{"", want[1:], want + "a", want[1:] + "=", want[1:] + " ", want[1:] + "~"} {
		if CheckDigest(text) {
			t.Errorf("%q passes for a digest", text)
		}
	}
}
