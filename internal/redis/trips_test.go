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
	if c.trips != 1 {
		t.Errorf("%d trips are under way, want 1", c.trips)
	}
}

// One trip at a time carries what waits; a full load does not wait for it.
func TestASecondTripIsForAFullLoad(t *testing.T) {
	t.Parallel()
	c := new(courier[int])
	first := newParcel(0, 0)
	c.queue(first)
	if len(first.word) != 1 {
		t.Fatal("a parcel waits, though no trip is under way")
	}
	parcels := make([]*parcel[int], maxParcels)
	for i := range parcels {
		if i > 0 && len(parcels[0].word) != 0 {
			t.Fatalf("a second trip began with %d parcels", i)
		}
		parcels[i] = newParcel(i, 0)
		c.queue(parcels[i])
	}
	if batch := <-parcels[0].word; len(batch) != maxParcels {
		t.Errorf("the second trip took %d parcels of %d", len(batch), maxParcels)
	}
	last := newParcel(0, 0)
	c.queue(last)
	c.passOn()
	if c.trips != 1 || len(last.word) != 0 {
		t.Errorf("%d trips go on with one parcel, of two that were under way", c.trips)
	}
	c.passOn()
	if len(last.word) != 1 {
		t.Error("nobody takes the last parcel")
	}
}

// Who gives up with a batch in hand has to go: there may be others' parcels in it.
func TestGivingUpWithABatchInHand(t *testing.T) {
	t.Parallel()
	c := &courier[string]{trips: 1}
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
