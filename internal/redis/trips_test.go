package redis

import (
	"slices"
	"testing"
)

func (p *parcel[T]) wasToldToGo() bool { return len(p.word) == 1 && p.leads }

// Two trips come back while one waits: that is told to go once, and the other trip is to be
// had. When both were given to it, it found nothing to carry on the second, and the process
// ended.
func TestTripsThatComeBackTogether(t *testing.T) {
	t.Parallel()
	c := &courier[string]{trips: maxTrips}
	waits := newParcel("", 0)
	c.queue(waits)
	if waits.wasToldToGo() {
		t.Fatal("a parcel went before there was a trip to be had")
	}
	c.passOn()
	c.passOn()
	if !waits.wasToldToGo() || c.trips != 1 {
		t.Errorf("the one that waits was not told to go, or %d trips are under way, want 1", c.trips)
	}
	c.passOn() // a third that does not exist: it would be told a second time
	if c.trips != 0 {
		t.Errorf("%d trips are under way, want 0", c.trips)
	}
}

// One trip at a time carries what waits; a full load does not wait for it.
func TestASecondTripIsForAFullLoad(t *testing.T) {
	t.Parallel()
	c := new(courier[int])
	first := newParcel(0, 0)
	c.queue(first)
	if !first.wasToldToGo() {
		t.Fatal("a parcel waits, though no trip is under way")
	}
	c.load(first)
	parcels := make([]*parcel[int], maxParcels)
	for i := range parcels {
		if i > 0 && parcels[0].wasToldToGo() {
			t.Fatalf("a second trip began with %d parcels", i)
		}
		parcels[i] = newParcel(i, 0)
		c.queue(parcels[i])
	}
	if !parcels[0].wasToldToGo() {
		t.Fatal("no second trip began with a full load")
	}
	if batch := c.load(parcels[0]); !slices.Equal(batch, parcels) {
		t.Errorf("the second trip took %d parcels of %d", len(batch), maxParcels)
	}
	last := newParcel(0, 0)
	c.queue(last)
	c.passOn()
	if c.trips != 1 || last.wasToldToGo() {
		t.Errorf("%d trips go on with one parcel, of two that were under way", c.trips)
	}
	c.passOn()
	if !last.wasToldToGo() {
		t.Error("nobody takes the last parcel")
	}
}

// A leader takes its own parcel and none for which another leader comes, and leaves the rest
// in order.
func TestWhatGoesOnATrip(t *testing.T) {
	t.Parallel()
	c := &courier[string]{trips: maxTrips}
	other, own := newParcel("other", 0), newParcel("own", maxTripBytes-2)
	small, large, late := newParcel("small", 2), newParcel("large", 1), newParcel("late", 0)
	for _, p := range []*parcel[string]{other, own, small, large, late} {
		c.queue(p)
	}
	other.leads, own.leads = true, true
	if batch := c.load(own); !slices.Equal(batch, []*parcel[string]{own, small}) {
		t.Errorf("the trip took %d parcels, want its own and the small one", len(batch))
	}
	if !slices.Equal(c.waiting, []*parcel[string]{other, large, late}) {
		t.Errorf("%d parcels wait, want the other leader's and, in order, those past the bound", len(c.waiting))
	}
}

// Who gives up but was told to go has to: others wait for it.
func TestGivingUpWhenToldToGo(t *testing.T) {
	t.Parallel()
	c := &courier[string]{trips: 1}
	first, second := newParcel("", 0), newParcel("", 0)
	c.queue(first)
	c.queue(second)
	c.passOn()
	if c.withdraw(second) {
		t.Error("one who was not told to go has to")
	}
	if !c.withdraw(first) {
		t.Error("one who was told to go need not")
	}
	if batch := c.load(first); len(batch) != 1 || batch[0] != first {
		t.Errorf("the trip took %d parcels, want the leader's own", len(batch))
	}
}
