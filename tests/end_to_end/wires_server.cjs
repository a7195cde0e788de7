// Backends made of other people's software, one process: counts at /counts, the port on the first line.
//
// /socket.io   npm socket.io: acknowledges `ask`, with a binary attachment; sends `note` to all for the first asks
// /graphql     npm graphql-ws on ws: one field, after a moment
// /hub         the parsers of Microsoft's own client (@microsoft/signalr), as a server: ?form=json or messagepack
const http = require("http");
const { Server } = require("socket.io");
const { WebSocketServer } = require("ws");
const { useServer } = require("graphql-ws/use/ws");
const { buildSchema } = require("graphql");
const { JsonHubProtocol, NullLogger } = require("@microsoft/signalr");
const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");
const { HandshakeProtocol } = require("@microsoft/signalr/dist/cjs/HandshakeProtocol");

const NOTED = 50;
const HELD_MS = Number(process.argv[2] || 5);
const counts = {};
const count = (name, n = 1) => { counts[name] = (counts[name] || 0) + n; };
const held = [];

const app = http.createServer((request, response) => {
  held.sort((a, b) => a - b);
  counts.held_p50_us = Math.round(1000 * (held[Math.floor(held.length / 2)] || 0));
  response.end(JSON.stringify({ "": counts }));
});

// Answers after a moment, and keeps how long that really was.
const later = answer => {
  const began = performance.now();
  setTimeout(() => { answer(); held.push(performance.now() - began); }, HELD_MS);
};

const io = new Server(app, { pingInterval: Number(process.argv[3] || 400), pingTimeout: 5000, destroyUpgrade: false });
io.engine.on("connection", socket => socket.on("packet", packet => count(`socketio ${packet.type}`)));
io.on("connection", socket => {
  count("socketio connections");
  socket.on("ask", (data, acknowledge) => {
    count("socketio asked");
    if (counts["socketio asked"] <= NOTED) {
      count("socketio noted", io.sockets.sockets.size);
      io.emit("note", { id: data.id, image: Buffer.alloc(300) });
    }
    later(() => acknowledge({ id: data.id, sound: Buffer.from([1, 2, 3]) }));
  });
});

const graphql = new WebSocketServer({ noServer: true });
const rootValue = { answer: ({ text }) => { count("graphql asked"); return new Promise(done => later(() => done(text))); } };
const schema = buildSchema("type Query { answer(text: String): String }");
useServer({ schema, roots: { query: rootValue }, onConnect: () => count("graphql connections") }, graphql);

const hub = new WebSocketServer({ noServer: true });
hub.on("connection", (socket, request) => {
  const form = new URL(request.url, "ws://here").searchParams.get("form");
  const protocol = form === "json" ? new JsonHubProtocol() : new MessagePackHubProtocol();
  const binary = form !== "json";
  const send = message => socket.send(protocol.writeMessage(message), { binary });
  let shaken = false;
  count(`${form} connections`);
  socket.on("message", (data, isBinary) => {
    let content = isBinary ? new Uint8Array(data).buffer : data.toString();
    if (!shaken) {
      const [rest, request] = new HandshakeProtocol().parseHandshakeResponse(content);
      if (request.protocol !== protocol.name) throw new Error(`handshake of ${request.protocol}`);
      shaken = true;
      socket.send("{}\x1e");
      send({ type: 6 });
      if (!rest) return;
      content = rest;
    }
    for (const message of protocol.parseMessages(content, NullLogger.instance)) {
      if (message.type === 6) count(`${form} pings`);
      if (message.type !== 1) continue;
      count(`${form} asked`);
      const { invocationId } = message;
      later(() => {
        send({ type: 2, headers: {}, invocationId, item: message.arguments[0] });
        send({ type: 3, headers: {}, invocationId, result: 7 });
      });
    }
  });
});

app.on("upgrade", (request, socket, head) => {
  const path = request.url.split("?")[0];
  const server = path === "/graphql" ? graphql : path === "/hub" ? hub : null;
  if (server) server.handleUpgrade(request, socket, head, each => server.emit("connection", each, request));
});
app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: app.address().port })));
