package redis

import "testing"

// Two trips come back before the one that waits has begun the next: that is given to it once,
// and the other trip is to be had. When both were given to it, it found nothing to carry on
// the second, and the process ended.
func TestTripsThatComeBackTogether(t *testing.T) {
	t.Parallel()
	c := &courier[string]{trips: maxTrips}
	waits := newParcel("", 0)
	c.queue(waits)
	if len(waits.word) != 0 {
		t.Fatal("a parcel went before there was a trip to be had")
	}
	c.passOn()
	c.passOn()
	if batch := <-waits.word; len(batch) != 1 || batch[0] != waits {
		t.Errorf("the one that waits was given %v, want itself", batch)
	}
	if c.trips != maxTrips-1 {
		t.Errorf("%d trips are under way, want %d", c.trips, maxTrips-1)
	}
	next := newParcel("", 0)
	c.queue(next)
	if len(next.word) != 1 {
		t.Error("a parcel waits, though there is a trip to be had")
	}
}

// Who gives up with a batch in hand has to go: there may be others' parcels in it.
func TestGivingUpWithABatchInHand(t *testing.T) {
	t.Parallel()
	c := &courier[string]{trips: maxTrips}
	first, second := newParcel("", 0), newParcel("", 0)
	c.queue(first)
	c.queue(second)
	c.passOn()
	if c.withdraw(second) {
		t.Error("one whose parcel is in another's batch has to go")
	}
	if !c.withdraw(first) {
		t.Error("one with a batch in hand need not go")
	}
}
