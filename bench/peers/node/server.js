// Socket.IO's own server with one of its Redis adapters, and the contract that is measured:
// SUBSCRIBE to a room, and a POST that reaches the room on every instance.
"use strict";

const http = require("node:http");
const { Server } = require("socket.io");
const Redis = require("ioredis");

const { ADAPTER = "pubsub", PORT, REDIS_URL } = process.env;

// adapter is what the documentation of each adapter recommends.
function adapter() {
  if (!REDIS_URL) return undefined;
  if (ADAPTER === "streams") {
    return require("@socket.io/redis-streams-adapter").createAdapter(new Redis(REDIS_URL));
  }
  const client = new Redis(REDIS_URL);
  return require("@socket.io/redis-adapter").createAdapter(client, client.duplicate());
}

const server = http.createServer(publish);
const io = new Server(server, {
  adapter: adapter(),
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  ...(ADAPTER === "streams" && { connectionStateRecovery: {} }),
});

const roomName = (workspaceId, appId) => `workspace_${workspaceId}_app_${appId}`;

io.on("connection", (socket) => {
  socket.on("application", (message) => {
    if (message?.event !== "SUBSCRIBE") return;
    const { workspaceId, appId } = message.payload;
    socket.join(roomName(workspaceId, appId));
    socket.emit("application_response", {
      status: "SUCCESS", event: "SUBSCRIBE", payload: { workspaceId, appId },
    });
  });
});

const route = /^\/api\/v1\/workspaces\/([^/]+)\/apps\/([^/]+)\/updates$/;
let published = 0;

function publish(request, response) {
  const match = route.exec(request.url);
  if (request.method !== "POST" || !match) {
    // Socket.IO has listeners of its own for what is its path.
    if (!request.url.startsWith("/socket.io/")) response.writeHead(404).end();
    return;
  }
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const [, workspaceId, appId] = match;
    const { event, data, userId } = JSON.parse(Buffer.concat(chunks));
    const name = roomName(workspaceId, appId);
    io.to(name).emit(name, { event, workspaceId, appId, payload: data, userId });
    const body = JSON.stringify({ id: String(++published) });
    response.writeHead(201, { "Content-Type": "application/json", "Content-Length": body.length }).end(body);
  });
}

process.on("SIGTERM", () => process.exit(0));
server.listen(PORT, "127.0.0.1", () => console.log("listening"));
