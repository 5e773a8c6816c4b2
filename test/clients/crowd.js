'use strict';
// A crowd of official Socket.IO clients in one process, each doing what a good application
// does: it keeps the last position of each room, and after a reconnect that did not continue
// its session it subscribes to all its rooms again with `since`; after one that did, only to
// those whose SUBSCRIBE was not answered. What happens to the clients is written down, not
// judged (test/continuity is for that). One command a line on stdin, one answer a line on
// stdout, both JSON; test/harness/crowd.go is the other end.
//
//   {"do":"open","rooms":[{"workspaceId":"w","appId":"a"},…],"seats":[[0,1],…],"version":4,
//    "url":"http://…","pause":5,"first":1000,"most":5000,"timeout":20000}     seats: the rooms of each client
//   {"do":"status","marks":[7,12,…]}     marks: of each room, the number that everybody waits for
//   {"do":"logs"}

const readline = require('readline');

// Kinds of entries, in the order of test/continuity/log.go. An entry is four numbers in a
// client's log: its kind and what is named here; text is an index into `texts`.
const CONNECTED = 0; // recovered
const DISCONNECTED = 1; // reason
const CONNECT_ERROR = 2; // message
const ANSWERED = 3; // room, position
const REFUSED = 4; // room, code
const UPDATED = 5; // room, position, number
const RESYNCED = 6; // room, position, reason

const again = 300; // milliseconds before a refused SUBSCRIBE is sent again

// Positions and reasons are common to many clients, and kept once.
const texts = [];
const indices = new Map();
function index(text = '') {
  let found = indices.get(text);
  if (found === undefined) {
    found = texts.push(text) - 1;
    indices.set(text, found);
  }
  return found;
}

class Member {
  constructor(name, rooms, seats, socket) {
    this.name = name;
    this.rooms = rooms;
    this.seats = seats;
    this.socket = socket;
    this.last = new Map(); // position, by room
    this.highest = new Map(); // number of the latest update, by room
    this.unanswered = new Set(seats);
    this.connections = 0;
    this.log = [];
    socket.on('connect', () => this.connected());
    socket.on('disconnect', (reason) => this.write(DISCONNECTED, index(reason)));
    socket.on('connect_error', (error) => this.write(CONNECT_ERROR, index(error.message || String(error))));
    for (const room of seats) {
      const { workspaceId, appId } = rooms[room];
      socket.on(`workspace_${workspaceId}_app_${appId}`, (update) => this.update(room, update));
    }
  }

  write(kind, a, b = 0, c = 0) {
    this.log.push(kind, a, b, c);
  }

  connected() {
    const recovered = this.socket.recovered === true; // not there before 4.6
    this.connections++;
    this.write(CONNECTED, recovered ? 1 : 0);
    if (!recovered) this.unanswered = new Set(this.seats);
    for (const room of this.unanswered) this.subscribe(room);
  }

  subscribe(room) {
    const connection = this.connections;
    const payload = { ...this.rooms[room], since: this.last.get(room) };
    this.socket.emit('application', { event: 'SUBSCRIBE', payload }, (answer) => {
      if (answer.status === 'SUCCESS') {
        this.write(ANSWERED, room, index(answer.position));
        this.unanswered.delete(room);
        if (!this.last.has(room)) this.last.set(room, answer.position);
        return;
      }
      this.write(REFUSED, room, index(answer.error.code));
      setTimeout(() => {
        if (this.socket.connected && connection === this.connections) this.subscribe(room);
      }, again);
    });
  }

  update(room, { event, payload, position }) {
    this.last.set(room, position);
    if (event === 'RESYNC') {
      this.write(RESYNCED, room, index(position), index(payload.reason));
      return;
    }
    this.highest.set(room, Math.max(payload.n, this.highest.get(room) ?? 0));
    this.write(UPDATED, room, index(position), payload.n);
  }
}

const members = [];

function open({ rooms, seats, version, url, pause, first, most, timeout }) {
  const io = require(`socket.io-client-${version}`);
  seats.forEach((some, n) =>
    setTimeout(() => {
      const socket = io(url, {
        transports: ['websocket'],
        forceNew: true,
        reconnectionDelay: first,
        reconnectionDelayMax: most,
        timeout,
      });
      members.push(new Member(`client ${members.length} (${version}.x)`, rooms, some, socket));
    }, n * pause),
  );
}

function status({ marks }) {
  const counts = { opened: members.length, connected: 0, seated: 0, behind: 0, entries: 0 };
  for (const { socket, seats, unanswered, highest, log } of members) {
    if (socket.connected) counts.connected++;
    counts.seated += seats.length - unanswered.size;
    counts.behind += seats.filter((room) => (highest.get(room) ?? 0) < (marks[room] ?? 0)).length;
    counts.entries += log.length / 4;
  }
  return counts;
}

const commands = {
  open: (command) => (open(command), {}),
  status,
  logs: () => ({ texts, clients: members.map(({ name, log }) => ({ name, log })) }),
};

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    process.stdout.write(JSON.stringify(commands[command.do](command)) + '\n');
  })
  // The test is over, or died: so are the clients.
  .on('close', () => process.exit(0));
