package harness

import (
	"testing"

	"github.com/roomcast/roomcast/internal/redis/redistest"
)

// Cluster is a Redis and instances that share it.
type Cluster struct {
	Redis   *redistest.Server
	Servers []*Server
}

// StartCluster starts a Redis and an instance for each id, and waits until all are ready.
func StartCluster(t testing.TB, ids ...string) *Cluster {
	t.Helper()
	cluster := &Cluster{Redis: redistest.Start(t)}
	for _, id := range ids {
		cluster.Servers = append(cluster.Servers, StartUnready(t, ServerOptions{ID: id, Redis: cluster.Redis.URL()}))
	}
	for _, server := range cluster.Servers {
		server.AwaitReady(t)
	}
	return cluster
}
