// Package app puts an instance together from its parts, starts it and takes it down.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/eio3"
	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/gateway"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/limit"
	"github.com/roomcast/roomcast/internal/metrics"
	"github.com/roomcast/roomcast/internal/nonblock"
	"github.com/roomcast/roomcast/internal/playground"
	"github.com/roomcast/roomcast/internal/rest"
	"github.com/roomcast/roomcast/internal/socketio"
)

const (
	// attachmentTimeout bounds the wait for the binary attachments of one packet.
	attachmentTimeout = 20 * time.Second
	// requestTimeout bounds a SUBSCRIBE with its reads from the store.
	requestTimeout = 10 * time.Second
	// headerTimeout bounds the time a request's header may take to come in.
	headerTimeout = 10 * time.Second
	// idleTimeout closes kept-alive connections; longer than the ping interval, so that
	// polling clients keep theirs.
	idleTimeout = 90 * time.Second
	// maxHeader bounds a request's header, in bytes: tokens travel there.
	maxHeader = 32 << 10
	// maxRequestless bounds the connections whose first request has not come.
	maxRequestless = 10_000
	// maxURL bounds a request's URL, in bytes: a token may be its longest part.
	maxURL = 20 << 10
)

// Options of an Instance.
type Options struct {
	Config config.Config
	// Store is the instance's own handle; the instance closes it.
	Store hub.Store
	Build Build
	// Page is what the page at / shows; without panes, one for this instance.
	Page   playground.Options
	Logger *slog.Logger
	// Listener, if not nil, is served instead of the configured host and port.
	Listener net.Listener
}

// Build says what is running.
type Build = metrics.BuildInfo

// Instance is one running server.
type Instance struct {
	options Options
	hub     *hub.Hub
	engine  *engineio.Server
	old     *eio3.Server
	public  *http.Server
	coming  *arrivals    // on public
	admin   *http.Server // nil when the operators' routes have no address of their own
	jwks    *auth.JWKS   // nil when the keys for tokens are not behind a URL

	draining atomic.Bool
	listener net.Listener
	encrypt  *tls.Config // nil: in the clear
	failed   chan error  // a listener that broke down

	stopping sync.Mutex // held by Stop, and guards stops once Start has returned
	stops    stack
}

// New wires an instance. The library behind Socket.IO 1 and 2 has one goroutine from here
// on; Start, when it fails, and Stop end it.
func New(options Options) *Instance {
	if len(options.Page.Panes) == 0 {
		here := "instance " + options.Config.Instance
		options.Page = playground.Options{Here: here, Panes: []playground.Pane{{Label: here}}}
	}
	options.Page.Identity = options.Config.Access.Auth != config.AuthNone
	i := &Instance{
		options: options,
		failed:  make(chan error, 2),
	}
	cfg := &options.Config
	registry := prometheus.NewRegistry()
	counters := metrics.New(registry, options.Build)
	i.coming = newArrivals(maxRequestless, counters.ConnectionDropped)

	i.hub = hub.New(hub.Options{
		Store:          options.Store,
		Instance:       cfg.Instance,
		Observer:       counters,
		Logger:         options.Logger.With("store", storeName(cfg.Redis)),
		RoomsPerMember: cfg.Limits.RoomsPerSession,
		HoldBytes:      cfg.Limits.BacklogBytes,
		ReplayBytes:    cfg.Recovery.ReplayBytes,
		RecoveryWindow: cfg.Recovery.Window,
		RequestTimeout: requestTimeout,
	})
	identity := newIdentity(cfg.Access, options.Logger)
	i.jwks = identity.jwks
	door := gateway.New(gateway.Options{
		Hub: i.hub, Recovery: cfg.Recovery.On, Logger: options.Logger,
		Observer: counters, SessionsPerUser: cfg.Limits.SessionsPerUser, Verifier: identity.verifier(), ConnectTimeout: cfg.Engine.ConnectTimeout,
		Leeway: cfg.Access.Tokens.Leeway, TokenNotice: cfg.Access.Tokens.Notice, TokenGrace: cfg.Access.Tokens.Grace,
	})
	current := socketio.New(socketio.Options{
		Gateway:           door,
		ConnectTimeout:    cfg.Engine.ConnectTimeout,
		AttachmentTimeout: attachmentTimeout,
		Logger:            options.Logger,
	})
	i.old = eio3.New(eio3.Options{
		Gateway:           door,
		ConnectTimeout:    cfg.Engine.ConnectTimeout,
		AttachmentTimeout: attachmentTimeout,
		MaxPayload:        cfg.Engine.MaxPayload,
		Logger:            options.Logger,
	})
	i.engine = engineio.NewServer(engineOptions(cfg, counters, options.Logger,
		func(session *engineio.Session, r *http.Request) engineio.Handler {
			if session.Revision() == engineio.V3 {
				return i.old.Accept(session, r)
			}
			return current.Accept(session, r)
		}))
	i.serve(rest.Options{
		Hub:     readiness{i},
		Metrics: counters,
		Callers: identity.callers(),

		PublishesPerCaller: rate(cfg.Limits.PublishesPerCaller, 0),
		PublishesPerRoom:   rate(cfg.Limits.PublishesPerRoom, 0),
		Concurrency:        cfg.Limits.Requests,
		Gatherer:           registry,
		Logger:             options.Logger,
		MaxPayload:         cfg.Engine.MaxPayload,
		MaxURL:             maxURL,
		Pages:              pages(options.Page),
	})
	return i
}

func engineOptions(cfg *config.Config, observer engineio.Observer, logger *slog.Logger,
	accept func(*engineio.Session, *http.Request) engineio.Handler) engineio.Options {
	origins := cfg.Access.Origins.List
	if cfg.Access.Origins.Any {
		origins = []string{"*"}
	}
	return engineio.Options{
		Accept:             accept,
		PingInterval:       cfg.Engine.PingInterval,
		PingTimeout:        cfg.Engine.PingTimeout,
		UpgradeTimeout:     cfg.Engine.UpgradeTimeout,
		MaxPayload:         cfg.Engine.MaxPayload,
		BacklogBytes:       cfg.Limits.BacklogBytes,
		MaxSessions:        cfg.Limits.MaxSessions,
		SessionsPerAddress: cfg.Limits.SessionsPerAddress,
		Handshakes:         rate(cfg.Limits.Handshakes, 0),
		AddressHandshakes:  rate(cfg.Limits.AddressHandshakes, 0),
		Shared:             cfg.Listen.Proxies.Shared,
		MaxURL:             maxURL,
		// A client that comes back subscribes to all of its rooms at once.
		Packets: rate(cfg.Limits.Packets, 2*cfg.Limits.RoomsPerSession),
		Bytes:   rate(cfg.Limits.InboundBytes, cfg.Engine.MaxPayload),
		EIO3:    cfg.Engine.EIO3,
		// A balancer routes by this prefix: the requests of one session must all reach
		// the instance that holds it.
		IDPrefix: cfg.Instance + ".",
		Origins:  engineio.NewOrigins(origins...),
		Observer: observer,
		Logger:   logger,
	}
}

// rate is so many in a second, and at once twice as many and what comes in one piece.
func rate(perSecond, piece int) limit.Rate {
	return limit.Rate{PerSecond: float64(perSecond), Burst: float64(piece + 2*perSecond)}
}

// serve makes the HTTP servers.
func (i *Instance) serve(options rest.Options) {
	api := rest.New(options)
	if i.options.Config.Listen.Admin != "" {
		i.admin = i.newServer(rest.NewAdmin(options))
		api = rest.NewAPI(options)
	}
	i.public = i.newServer(i.options.Config.Listen.Proxies.Behind(i.routes(api)))
	i.public.ConnState = i.coming.observe
}

// routes says what is served where. It is no http.ServeMux, which tidies paths up by a
// redirect: callers that follow one may turn a PUT into a GET, and ".." is a valid id.
func (i *Instance) routes(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, socket := cutSocketPath(r.URL.Path)
		// Whoever asks for a script wants that or a plain 404, not the protocol's errors.
		if socket && !strings.HasSuffix(file, ".js") && !strings.HasSuffix(file, ".js.map") {
			i.engine.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// socketPaths are what Socket.IO is served on, with anything behind them.
func socketPaths() []string { return []string{"/socket.io", "/api/socket/v1/socket.io"} }

// pages is what browsers ask for: the page, and the client in both places where it is
// looked for.
func pages(options playground.Options) map[string]http.Handler {
	all := playground.Files(options)
	for name, file := range playground.Client() {
		for _, path := range socketPaths() {
			all[path+"/"+name] = file
		}
	}
	return all
}

// cutSocketPath finds what stands behind one of the paths that Socket.IO is served on.
func cutSocketPath(path string) (rest string, found bool) {
	for _, prefix := range socketPaths() {
		if rest, found := strings.CutPrefix(path, prefix); found && (rest == "" || rest[0] == '/') {
			return rest, true
		}
	}
	return "", false
}

func (i *Instance) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(i.options.Logger.Handler(), slog.LevelDebug),
	}
}

// Start begins to serve. On an error everything begun is undone. Redis need not be there:
// the instance says so, keeps trying, and is not ready until it is.
func (i *Instance) Start(ctx context.Context) error {
	i.stops.push("store", func(context.Context) error { return i.options.Store.Close() })
	i.keepKeys(ctx)
	i.hub.Start()
	i.stops.push("hub", func(context.Context) error { i.hub.Stop(); return nil })
	if err := i.listen(); err != nil {
		return errors.Join(err, i.stops.run(ctx))
	}
	cfg := i.options.Config
	i.options.Logger.Info("serving", "address", i.listener.Addr().String(), "instance", cfg.Instance,
		"store", storeName(cfg.Redis), "page", pageURL(cfg.Listen, i.listener.Addr()))
	return nil
}

// listen serves the operators' address first: it goes down after the sessions, so that their
// going can be watched.
func (i *Instance) listen() error {
	operators, err := i.open()
	if operators != nil {
		i.serveOn(i.admin, operators, nil)
		i.stops.push("operators' server", i.admin.Shutdown)
	}
	// Even without sessions there is what New has started to serve them.
	i.stops.push("sessions", i.stopSessions)
	i.stops.push("websockets", i.drain)
	if err != nil {
		return err
	}
	i.serveOn(i.public, i.listener, i.encrypt)
	i.stops.push("listener", i.stopAccepting)
	i.stops.push("polling", i.stopPolling)
	return nil
}

// open opens both addresses before either is served: whoever is told that the instance is ready
// may send clients at once. Without an address of their own, or on an error, there is no listener
// for operators.
func (i *Instance) open() (operators net.Listener, err error) {
	// Before anything is open that would have to be closed again.
	if i.encrypt, err = i.encryption(); err != nil {
		return nil, err
	}
	if operators, err = i.listenForOperators(); err != nil {
		return nil, err
	}
	i.listener, err = i.listenForClients()
	if err != nil && operators != nil {
		return nil, errors.Join(err, operators.Close())
	}
	return operators, err
}

func (i *Instance) listenForClients() (net.Listener, error) {
	if i.options.Listener != nil {
		return i.options.Listener, nil
	}
	listen := i.options.Config.Listen
	listener, err := net.Listen("tcp", net.JoinHostPort(listen.Host, strconv.Itoa(listen.Port)))
	if err != nil {
		return nil, fmt.Errorf("listening: %w", orAnother(err, "PORT"))
	}
	return listener, nil
}

// listenForOperators returns nil when the operators' routes have no address of their own.
func (i *Instance) listenForOperators() (net.Listener, error) {
	if i.admin == nil {
		return nil, nil
	}
	listener, err := net.Listen("tcp", i.options.Config.Listen.Admin)
	if err != nil {
		return nil, fmt.Errorf("listening for operators: %w", orAnother(err, "ROOMCAST_ADMIN_ADDR"))
	}
	return listener, nil
}

// orAnother says what to do about an address that is taken.
func orAnother(err error, variable string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; set %s to another", err, variable)
	}
	return err
}

// pageURL is where a browser on this machine finds the page.
func pageURL(listen config.Listen, listening net.Addr) string {
	scheme, host := "http://", listen.Host
	if listen.TLS != (config.TLS{}) {
		scheme = "https://"
	}
	_, port, _ := net.SplitHostPort(listening.String()) // a listener's own address
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, port) + "/"
}

// encryption is nil where clients are served in the clear.
func (i *Instance) encryption() (*tls.Config, error) {
	if files := i.options.Config.Listen.TLS; files != (config.TLS{}) {
		return newTLS(files, i.options.Logger)
	}
	return nil, nil //nolint:nilnil // nothing is no error here
}

// serveOn serves until the listener is closed.
func (i *Instance) serveOn(server *http.Server, listener net.Listener, encrypt *tls.Config) {
	listener = nonblock.Listener{Listener: listener}
	if encrypt != nil {
		listener = tls.NewListener(listener, encrypt)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			i.failed <- fmt.Errorf("serving: %w", err)
		}
	}()
	i.stops.push("serving", func(context.Context) error { <-ended; return nil })
}

// Failed tells of a listener that broke down; the instance should be stopped then.
func (i *Instance) Failed() <-chan error { return i.failed }

// Addr is where the instance listens, valid after Start.
func (i *Instance) Addr() net.Addr { return i.listener.Addr() }

// Ready returns nil when the instance takes part in the channel and is not going down.
func (i *Instance) Ready() error { return readiness{i}.Ready() }
