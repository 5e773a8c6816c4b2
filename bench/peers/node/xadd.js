// The least that a durable publication costs in Node: a bare route and one XADD.
"use strict";

const http = require("node:http");
const Redis = require("ioredis");

const { PORT, REDIS_URL } = process.env;
const redis = new Redis(REDIS_URL);
const route = /^\/api\/v1\/workspaces\/([^/]+)\/apps\/([^/]+)\/updates$/;

const server = http.createServer((request, response) => {
  const match = route.exec(request.url);
  if (request.method !== "POST" || !match) {
    response.writeHead(404).end();
    return;
  }
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const [, workspaceId, appId] = match;
    const { event, data, userId } = JSON.parse(Buffer.concat(chunks));
    const object = JSON.stringify({ event, workspaceId, appId, payload: data, userId });
    const id = await redis.xadd(`stream:${workspaceId}:${appId}`, "MAXLEN", "~", 1000, "*", "o", object);
    const body = JSON.stringify({ id });
    response.writeHead(201, { "Content-Type": "application/json", "Content-Length": body.length }).end(body);
  });
});

process.on("SIGTERM", () => process.exit(0));
server.listen(PORT, "127.0.0.1", () => console.log("listening"));
