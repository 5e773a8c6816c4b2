package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/roomcast/roomcast/internal/memory"
	"github.com/roomcast/roomcast/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBus(limits storetest.Limits) *memory.Bus {
	return memory.NewBus(memory.Options{
		HistorySize:   limits.HistorySize,
		HistoryBytes:  limits.HistoryBytes,
		HistoryTTL:    limits.HistoryTTL,
		RoomIndexSize: limits.RoomIndexSize,
	})
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, limits storetest.Limits) storetest.Instance {
		bus := newBus(limits)
		return func() storetest.Store { return bus.Store() }
	})
}
