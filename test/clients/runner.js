'use strict';
// Remote control of the official Socket.IO clients: one command a line on stdin, one
// message a line on stdout, both JSON. It knows nothing of Roomcast; what a client should
// see is judged by the Go tests (test/harness/runner.go is the other end).
//
//   {"do":"connect","client":"c1","version":4,"url":"http://…","path":"/socket.io/","mode":"polling"}
//                                                                           "token":"…","by":"auth"  optional
//   {"do":"emit","client":"c1","event":"application","data":{…},"call":7}     call: ask for an ack
//   {"do":"emit","client":"c1","event":"application","binary":"AQID"}         base64, sent as a Buffer
//   {"do":"disconnect","client":"c1"}
//
// Messages name the client and what happened to it: connect, connect_error, disconnect,
// transport, event, ack.

const readline = require('readline');

const transportsOf = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'], // the default of every client
};

const clients = new Map();

function tell(message) {
  process.stdout.write(JSON.stringify(message) + '\n');
}

// showing puts a token where a client of a version can have it; by is auth, query or header.
function showing(token, by) {
  if (!token) return {};
  return {
    auth: { auth: { token } },
    query: { query: { token } },
    header: { extraHeaders: { Authorization: `Bearer ${token}` } },
  }[by];
}

function connect({ client, version, url, path, mode, token, by, ca, namespace = '/' }) {
  const io = require(`socket.io-client-${version}`);
  const socket = io(url + namespace, {
    path,
    transports: transportsOf[mode],
    forceNew: true,
    ...showing(token, by),
    ...(ca && { ca }), // of a server that is known to tests alone
    reconnectionDelay: 200,
    reconnectionDelayMax: 1000,
  });
  clients.set(client, socket);

  socket.on('connect', () => {
    const engine = socket.io.engine;
    tell({ client, type: 'connect', id: socket.id, engine: engine.id, transport: engine.transport.name });
    // The event's argument is the transport in every version.
    engine.on('upgrade', (transport) => tell({ client, type: 'transport', transport: transport.name }));
    // An upgrade may have finished between the engine's opening and this connect.
    if (engine.transport.name === 'websocket') tell({ client, type: 'transport', transport: 'websocket' });
  });
  const refused = (error) => tell({ client, type: 'connect_error', message: text(error), code: codeOf(error) });
  socket.on('connect_error', refused);
  // Clients before 3 report a refused namespace as `error`.
  if (version < 3) socket.on('error', refused);
  socket.on('disconnect', (reason) => tell({ client, type: 'disconnect', message: reason }));
  onAnyEvent(socket, (name, args) => tell({ client, type: 'event', name, args }));
}

function text(error) {
  return typeof error === 'string' ? error : error.message;
}

function codeOf(error) {
  return error.data && error.data.code;
}

// onAnyEvent is Socket.onAny, which clients before 3 do not have.
function onAnyEvent(socket, listener) {
  if (socket.onAny) {
    socket.onAny((name, ...args) => listener(name, args));
    return;
  }
  const onevent = socket.onevent;
  socket.onevent = function (packet) {
    const [name, ...args] = packet.data || [];
    listener(name, args);
    onevent.call(this, packet);
  };
}

function emit({ client, event, data, binary, call }) {
  const args = [binary === undefined ? data : Buffer.from(binary, 'base64')];
  if (call !== undefined) args.push((...answer) => tell({ client, type: 'ack', call, args: answer }));
  clients.get(client).emit(event, ...args);
}

const commands = {
  connect,
  emit,
  disconnect: ({ client }) => clients.get(client).disconnect(),
};

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  // The test is over, or died: so are the clients.
  .on('close', () => process.exit(0));
