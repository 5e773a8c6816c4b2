package storetest

import (
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Never is the age of what has not happened.
const Never time.Duration = -1

// Loss is a session that lost its connection, and whether it can still be claimed. Ages
// are told from the claim backwards.
type Loss struct {
	Name    string
	Written time.Duration // age of the record's last change, but for Late
	Renewed time.Duration // age of its instance's last heartbeat, or Never
	Parted  time.Duration // age of the word that the connection was lost, or Never
	Late    bool          // changes of the same tenancy arrived after that word
	Window  time.Duration // of the claim
	Claimed bool
}

// Losses are the rules of dating. They take hours, which each store's tests have means of
// their own to let pass.
func Losses() []Loss {
	const window, within, before, idle = 2 * time.Minute, time.Minute, 3 * time.Minute, 20 * time.Hour
	return []Loss{
		{Name: "ItsInstanceIsAlive", Written: idle, Renewed: 0, Parted: Never, Window: window, Claimed: true},
		{Name: "ItsInstanceIsAliveAndTheWindowShort", Written: idle, Renewed: time.Second, Parted: Never, Window: 0, Claimed: true},
		{Name: "ItsInstanceDiedWithinTheWindow", Written: idle, Renewed: within, Parted: Never, Window: window, Claimed: true},
		{Name: "ItsInstanceDiedBeforeTheWindow", Written: idle, Renewed: before, Parted: Never, Window: window},
		{Name: "ItsInstanceDiedBeforeAShortWindow", Written: idle, Renewed: 10 * time.Second, Parted: Never, Window: 0},
		{Name: "ItsInstanceIsUnknownAndWroteWithinTheWindow", Written: within, Renewed: Never, Parted: Never, Window: window, Claimed: true},
		{Name: "ItsInstanceIsUnknownAndWroteBeforeTheWindow", Written: before, Renewed: Never, Parted: Never, Window: window},
		{Name: "SeenWithinTheWindow", Written: idle, Renewed: 0, Parted: within, Window: window, Claimed: true},
		{Name: "SeenBeforeTheWindow", Written: idle, Renewed: 0, Parted: before, Window: window},
		{Name: "SeenWithinTheWindowByAnInstanceThatDied", Written: idle, Renewed: before, Parted: within, Window: window, Claimed: true},
		{Name: "SeenBeforeTheWindowAndChangedSince", Written: idle, Renewed: 0, Parted: before, Late: true, Window: window},
	}
}

// Lost is the tenancy of every Loss. Its record is in no room, but for Late.
func Lost() event.Tenancy { return newTenancy("lost") }

// LongWindow is the window for which records of a Loss are kept, and in which all of them
// can be claimed.
const LongWindow = 100 * time.Hour

// ComeLate makes the changes that a Late loss has.
func ComeLate(t *testing.T, store Store) {
	t.Helper()
	record := event.Record{Tenancy: Lost()}
	enter(t, store, record, red)
	if err := store.Leave(t.Context(), record.Tenancy, red, 0); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), record); err != nil {
		t.Fatal(err)
	}
}

// connectedOnly is a window in which no loss that was seen is young enough.
const connectedOnly = -time.Millisecond

// Check claims the session. If that is refused, the record must not have suffered.
func (l Loss) Check(t *testing.T, store Store) {
	t.Helper()
	wanted := event.Claim{PID: Lost().PID, Subject: Lost().Subject, Instance: "two", Window: l.Window}
	if !l.Claimed {
		expectNoRecord(t, store, wanted)
		wanted.Window = LongWindow
	}
	if _, _, err := store.Claim(t.Context(), wanted); err != nil {
		t.Errorf("Claim within %v: %v", wanted.Window, err)
	}
	// Whatever its former instance did or does, it has one again: of which nothing is known
	// but that it made this claim, and then that it is alive.
	wanted.Window = time.Minute
	if _, _, err := store.Claim(t.Context(), wanted); err != nil {
		t.Errorf("Claim of the session just claimed: %v", err)
	}
	if err := store.Beat(t.Context(), "two", 0); err != nil {
		t.Fatal(err)
	}
	wanted.Window = connectedOnly
	if _, _, err := store.Claim(t.Context(), wanted); err != nil {
		t.Errorf("Claim of a session whose instance is alive: %v", err)
	}
}
