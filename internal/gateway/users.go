package gateway

import (
	"sync"

	"github.com/roomcast/roomcast/internal/auth"
)

// users count the connections of each token's subject. The zero value is ready.
type users struct {
	mu          sync.Mutex
	connections map[string]int
}

// enter counts a connection in, unless its user has as many as it may.
func (u *users) enter(principal *auth.Principal, most int) error {
	owner := principal.Owner()
	if most == 0 || owner == "" {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.connections[owner] >= most {
		return &auth.Refusal{Code: auth.CodeSessions, Message: "the token's subject has as many connections as it may"}
	}
	if u.connections == nil {
		u.connections = make(map[string]int)
	}
	u.connections[owner]++
	return nil
}

// leave counts one out that has entered.
func (u *users) leave(principal *auth.Principal, most int) {
	owner := principal.Owner()
	if most == 0 || owner == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.connections[owner] > 1 {
		u.connections[owner]--
	} else {
		delete(u.connections, owner)
	}
}
