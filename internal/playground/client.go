package playground

import (
	_ "embed"
	"net/http"
	"path"
)

// ClientVersion is the version of the official socket.io-client that is served.
const ClientVersion = "4.8.4"

//go:embed client/socket.io.min.js
var clientScript []byte

// Client serves the official client under the names that Socket.IO servers give it,
// socket.io.js and socket.io.min.js, in whatever folder it is mounted. Other names are
// answered 404.
func Client() http.Handler {
	script := newFile("socket.io.min.js", clientScript)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "socket.io.js", "socket.io.min.js":
			script.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}
