package playground

import (
	_ "embed"
	"net/http"
)

// ClientVersion is the version of the official socket.io-client that is served.
const ClientVersion = "4.8.4"

//go:embed client/socket.io.min.js
var clientScript []byte

//go:embed client/socket.io.esm.min.js
var clientModule []byte

// Client is the official client under the names that Socket.IO servers give it:
// socket.io.js and socket.io.min.js to load as a script, socket.io.esm.min.js to import as
// a module.
func Client() map[string]http.Handler {
	script := shared(newFile("socket.io.min.js", clientScript))
	return map[string]http.Handler{
		"socket.io.js":         script,
		"socket.io.min.js":     script,
		"socket.io.esm.min.js": shared(newFile("socket.io.esm.min.js", clientModule)),
	}
}

// shared lets a page of any origin read a file that is public anyway: browsers import a
// module of another origin only then.
func shared(f file) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		f.ServeHTTP(w, r)
	})
}
