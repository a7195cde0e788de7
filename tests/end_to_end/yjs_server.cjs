// The server of y-websocket, with what it heard counted beside it: counts at /counts, the port on the first line.
const http = require("http");
const { WebSocketServer } = require("ws");
const { docs, setupWSConnection } = require("y-websocket/bin/utils");

const counts = { connections: 0, frames: 0, presence: 0, copies: 0 };
const followed = new Set();
const app = http.createServer((_request, response) => response.end(JSON.stringify({ "": counts })));
const server = new WebSocketServer({ server: app });

server.on("connection", (socket, request) => {
  counts.connections += 1;
  socket.on("message", () => { counts.frames += 1; });
  setupWSConnection(socket, request);
  const doc = docs.get(request.url.slice(1).split("?")[0]);
  if (followed.has(doc)) return;
  followed.add(doc);
  doc.awareness.on("update", ({ added, updated }) => {
    const heard = added.length + updated.length;
    counts.presence += heard;
    counts.copies += heard * doc.conns.size;
  });
});
app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: app.address().port })));
