"use strict";

// Everything that comes from the server is shown through textContent, never as markup.

const maxRows = 200; // deliveries kept in each list
const answerWithin = 10_000; // milliseconds until an answer counts as missing
const idPattern = /^[A-Za-z0-9._~-]{1,128}$/;
const byId = (id) => document.getElementById(id);

/** Shows text in a status line; kind is "", "good" or "bad". */
function say(element, text, kind = "") {
  element.textContent = text;
  element.className = kind ? `status ${kind}` : "status";
}

/** What is typed as token and key. It stays in the fields: a page of the same origin could read a store. */
const shown = {
  token: () => byId("shown").elements.token.value.trim(),
  key: () => byId("shown").elements.key.value.trim() || shown.token(),
};

/** A socket to one instance, with what it receives. */
class Pane {
  constructor({ label, url }, room) {
    this.url = url || location.origin;
    this.room = room;
    this.asked = null; // the room of the last SUBSCRIBE on this connection
    this.joined = null; // the room the server has confirmed
    this.last = null; // {room, position} of the newest event, to go on from after a break
    this.received = 0;

    const section = byId("pane").content.firstElementChild.cloneNode(true);
    this.part = {};
    for (const element of section.querySelectorAll("[data-part]")) {
      this.part[element.dataset.part] = element;
    }
    this.part.label.textContent = label;
    section.setAttribute("aria-label", label);
    this.part.connect.addEventListener("click", () => (this.socket ? this.disconnect() : this.connect()));
    this.part.subscribe.addEventListener("click", () => (this.joined ? this.unsubscribe() : this.subscribe()));
    this.part.clear.addEventListener("click", () => this.clear());
    this.part.choice.addEventListener("change", () => {
      if (this.socket) {
        this.reconnect();
      }
    });
    byId("panes").append(section);
  }

  reconnect() {
    if (this.socket) {
      this.disconnect();
    }
    this.connect();
  }

  connect() {
    const choice = this.part.choice.value;
    const socket = io(this.url, {
      forceNew: true,
      auth: (show) => show(shown.token() ? { token: shown.token() } : {}),
      transports: choice === "auto" ? ["polling", "websocket"] : [choice],
    });
    this.socket = socket;
    this.wanted = true; // subscribe at once, so that a newcomer sees it work
    this.part.connect.textContent = "Disconnect";
    this.showState("connecting", "wait");
    say(this.part.status, `Connecting to ${this.url} …`);

    socket.on("connect", () => this.connected(socket));
    socket.on("connect_error", (error) => {
      this.broken(socket, socket.active ? "retrying" : "refused", whyNotConnected(socket, error));
    });
    socket.on("disconnect", (reason) => {
      this.broken(socket, socket.active ? "reconnecting" : "closed", `Connection lost: ${reason}`);
    });
    // The room's name is the event's name; onAny takes updates of any room, and passes over
    // the offset that some servers append after the event.
    socket.onAny((name, data) => {
      if (name === "application_response") {
        this.answered(data);
      } else {
        this.deliver(data);
      }
    });
  }

  connected(socket) {
    this.showState("connected", "good");
    this.part.id.textContent = socket.id;
    this.part.subscribe.disabled = false;
    const engine = socket.io.engine;
    const showTransport = () => { this.part.transport.textContent = engine.transport.name; };
    showTransport();
    engine.on("upgrade", showTransport);
    say(this.part.status, "Connected.");
    if (this.wanted) {
      this.subscribe();
    }
  }

  /** The connection failed by itself; an active socket goes on trying. */
  broken(socket, state, why) {
    if (this.socket !== socket) {
      return;
    }
    this.left();
    this.showState(state, socket.active ? "wait" : "bad");
    say(this.part.status, why, "bad");
    if (!socket.active) {
      this.socket = null;
      this.part.connect.textContent = "Connect";
    }
  }

  disconnect() {
    const socket = this.socket;
    this.socket = null;
    socket.disconnect();
    this.left();
    this.part.connect.textContent = "Connect";
    this.showState("not connected", "");
    say(this.part.status, "Disconnected.");
  }

  left() {
    this.asked = null;
    this.showRoom(null);
    this.part.subscribe.disabled = true;
    this.part.transport.textContent = "–";
    this.part.id.textContent = "–";
  }

  /** Leaves the room it is in, or about to be in, for another one. */
  enter(room) {
    const before = this.asked;
    this.room = room;
    if (!this.socket?.connected) {
      return;
    }
    if (before) {
      this.ask("UNSUBSCRIBE", before);
    }
    if (this.wanted) {
      this.subscribe();
    }
  }

  subscribe() {
    this.wanted = true;
    this.asked = this.room;
    const since = this.last && sameRoom(this.last.room, this.room) ? { since: this.last.position } : {};
    this.ask("SUBSCRIBE", this.room, since);
  }

  unsubscribe() {
    this.wanted = false;
    this.ask("UNSUBSCRIBE", this.joined);
    this.asked = null;
    this.last = null; // a pause that was asked for is not a break to catch up on
  }

  ask(event, room, more = {}) {
    const socket = this.socket;
    const payload = { workspaceId: room.workspace, appId: room.app, ...more };
    socket.timeout(answerWithin).emit("application", { event, payload }, (error) => {
      // The answer itself also comes as application_response; here only its absence counts.
      if (error && this.socket === socket && socket.connected) {
        say(this.part.status, `No answer to ${event} within ${answerWithin / 1000} s.`, "bad");
      }
    });
  }

  answered(answer) {
    const room = { workspace: answer?.payload?.workspaceId, app: answer?.payload?.appId };
    if (answer?.status !== "SUCCESS") {
      if (answer?.event === "SUBSCRIBE" && this.asked && sameRoom(this.asked, room)) {
        this.asked = null;
      }
      const { code = "unknown", message = "no reason given" } = answer?.error ?? {};
      say(this.part.status, `${answer?.event ?? "Request"} refused: ${message} (${code})`, "bad");
      return;
    }
    if (answer.event === "SUBSCRIBE") {
      this.showRoom(room);
      if (answer.position && !(this.last && sameRoom(this.last.room, room))) {
        this.last = { room, position: answer.position };
      }
      say(this.part.status, `Subscribed to ${room.workspace}/${room.app}: its updates arrive here.`, "good");
    } else if (this.joined && sameRoom(this.joined, room)) {
      this.showRoom(null);
      say(this.part.status, `Unsubscribed from ${room.workspace}/${room.app}.`);
    }
  }

  deliver(data) {
    if (data?.position && this.room && data.workspaceId === this.room.workspace && data.appId === this.room.app) {
      this.last = { room: this.room, position: data.position };
    }
    this.received++;
    this.part.count.textContent = this.received;
    this.part.empty.hidden = true;
    this.part.list.prepend(deliveryRow(data));
    while (this.part.list.childElementCount > maxRows) {
      this.part.list.lastElementChild.remove();
    }
  }

  clear() {
    this.received = 0;
    this.part.count.textContent = "0";
    this.part.list.replaceChildren();
    this.part.empty.hidden = false;
  }

  showState(text, kind) {
    this.part.state.textContent = text;
    this.part.state.className = kind ? `badge ${kind}` : "badge";
  }

  showRoom(room) {
    this.joined = room;
    this.part.room.textContent = room ? `${room.workspace}/${room.app}` : "–";
    this.part.subscribe.textContent = room ? "Unsubscribe" : "Subscribe";
  }
}

/** In people's words: "xhr poll error" is all the client says of a server that is away. */
function whyNotConnected(socket, error) {
  return socket.active ? "The server does not answer, trying again …" : `No connection: ${error.message}`;
}

function deliveryRow(data) {
  const now = new Date();
  const time = make("time", now.toLocaleTimeString([], { hour12: false }) + "." + String(now.getMilliseconds()).padStart(3, "0"));
  time.dateTime = now.toISOString();
  const head = make("div", "", "delivery-head");
  head.append(time, make("strong", data?.event ?? "message"));
  if (data?.userId) {
    head.append(make("span", `by ${data.userId}`));
  }
  if (data?.position) {
    head.append(make("span", data.position, "place"));
  }
  const row = make("li", "", data?.event === "RESYNC" ? "resync" : "");
  row.append(head);
  if (data?.event === "RESYNC") {
    row.append(make("p", "The server cannot prove that nothing is missing: reload the app's state.", "hint"));
  }
  row.append(make("pre", JSON.stringify(data?.payload ?? data, null, 2), "code"));
  return row;
}

function make(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) {
    element.className = className;
  }
  return element;
}

function sameRoom(a, b) {
  return a.workspace === b.workspace && a.app === b.app;
}

/** The room in the page's address: #workspace=demo&app=board */
function roomOfAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const id = (name, otherwise) => (idPattern.test(fields.get(name) ?? "") ? fields.get(name) : otherwise);
  return { workspace: id("workspace", "demo"), app: id("app", "board") };
}

/** The room form: calls changed(room) when it names another room than before. */
class RoomForm {
  constructor(changed) {
    this.form = byId("room");
    this.changed = changed;
    this.room = roomOfAddress();
    this.show();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.read();
    });
    this.form.addEventListener("change", () => this.read());
    this.form.addEventListener("input", () => this.check()); // entering a room waits for the end of typing
    window.addEventListener("hashchange", () => {
      this.take(roomOfAddress());
      this.show();
    });
  }

  show() {
    this.form.elements.workspace.value = this.room.workspace;
    this.form.elements.app.value = this.room.app;
    this.check();
  }

  /** Whether both ids are sound; says so beside them. */
  check() {
    const { workspace, app } = this.form.elements;
    let sound = true;
    for (const input of [workspace, app]) {
      const valid = idPattern.test(input.value);
      input.setAttribute("aria-invalid", String(!valid));
      sound &&= valid;
    }
    if (sound) {
      say(byId("room-status"), "");
    } else {
      say(byId("room-status"), "An id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -", "bad");
    }
    return sound;
  }

  read() {
    if (this.check()) {
      const { workspace, app } = this.form.elements;
      this.take({ workspace: workspace.value, app: app.value });
    }
  }

  take(room) {
    if (sameRoom(room, this.room)) {
      return;
    }
    this.room = room;
    location.hash = new URLSearchParams(room).toString();
    this.changed(room);
  }
}

/** The update form: sends to the instance that served this page. */
class SendForm {
  constructor(rooms) {
    this.rooms = rooms;
    this.form = byId("send");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.form.addEventListener("input", () => this.showCurl());
    byId("copy").addEventListener("click", () => this.copy());
    this.showCurl();
  }

  /** The request's body, or an Error that says what is wrong with the form. */
  body() {
    const { displayName, extra } = this.form.elements;
    let more = {};
    if (extra.value.trim() !== "") {
      try {
        more = JSON.parse(extra.value);
      } catch (error) {
        return new Error(`More fields is not JSON: ${error.message}`);
      }
      if (more === null || typeof more !== "object" || Array.isArray(more)) {
        return new Error("More fields must be a JSON object, such as {\"colour\": \"green\"}");
      }
    }
    const { workspace, app } = this.rooms.room;
    return JSON.stringify({ ...more, workspaceId: workspace, appId: app, displayName: displayName.value });
  }

  showCurl() {
    const body = this.body();
    const faulty = body instanceof Error;
    this.form.elements.extra.setAttribute("aria-invalid", String(faulty));
    if (faulty) {
      this.refuse(body);
      return;
    }
    if (byId("send-status").classList.contains("bad")) {
      say(byId("send-status"), "");
    }
    const quoted = body.replaceAll("'", "'\\''");
    byId("curl").textContent = `curl -X PUT ${location.origin}/api/v1/apps/ -H 'Content-Type: application/json'${shown.key() && ' -H "Authorization: Bearer $KEY"'} -d '${quoted}'`;
  }

  /** What was answered before must not look like the answer to what cannot be sent. */
  refuse(error) {
    say(byId("send-status"), error.message, "bad");
    byId("answer").hidden = true;
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(byId("curl").textContent);
      say(byId("copy-status"), "Copied.", "good");
    } catch {
      // Browsers give the clipboard to secure pages only.
      getSelection().selectAllChildren(byId("curl"));
      say(byId("copy-status"), "Selected: copy it with the keyboard.");
    }
  }

  async send() {
    const status = byId("send-status");
    const answer = byId("answer");
    const body = this.body();
    if (body instanceof Error) {
      this.refuse(body);
      this.form.elements.extra.focus();
      return;
    }
    say(status, "Sending …");
    const began = performance.now();
    try {
      const response = await fetch("/api/v1/apps/", {
        method: "PUT",
        headers: { "Content-Type": "application/json", ...(shown.key() && { Authorization: `Bearer ${shown.key()}` }) },
        body,
        signal: AbortSignal.timeout(answerWithin),
      });
      const text = await response.text();
      const took = Math.max(1, Math.round(performance.now() - began));
      say(status, `${response.status} ${response.statusText} in ${took} ms`, response.ok ? "good" : "bad");
      answer.textContent = text;
      answer.hidden = false;
    } catch (error) {
      say(status, `No answer: ${error.message}`, "bad");
      answer.hidden = true;
    }
  }
}

async function start() {
  if (typeof io === "undefined") {
    throw new Error("The Socket.IO client did not load from /socket.io/socket.io.min.js.");
  }
  const panes = [];
  const rooms = new RoomForm((room) => {
    panes.forEach((pane) => pane.enter(room));
    send.showCurl();
  });
  const send = new SendForm(rooms);
  const response = await fetch("/playground/config.json");
  if (!response.ok) {
    throw new Error(`/playground/config.json answered ${response.status}.`);
  }
  const config = await response.json();
  if (config.here) {
    byId("submit").textContent = `Send to ${config.here}`;
  }
  for (const place of config.panes) {
    panes.push(new Pane(place, rooms.room));
  }
  if (panes.length > 1) {
    byId("lead").textContent = `${panes.length} clients on ${panes.length} instances: change an app by REST, and see the change arrive at both.`;
  }
  byId("identity").hidden = !config.identity;
  byId("shown").addEventListener("submit", (event) => {
    event.preventDefault();
    send.showCurl();
    panes.forEach((pane) => pane.reconnect());
  });
  panes.forEach((pane) => pane.connect());
}

start().catch((error) => {
  const fault = byId("fault");
  fault.textContent = `The playground could not start. ${error.message}`;
  fault.hidden = false;
});
