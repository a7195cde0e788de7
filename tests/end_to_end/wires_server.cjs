// Backends made of other people's software, one process: counts at /counts, the port on the first line.
//
// /socket.io   npm socket.io: acknowledges `ask`, with a binary attachment; sends `note` to all for the first asks
// /graphql     npm graphql-ws on ws: one field, after a moment
// /hub         the parsers of Microsoft's own client (@microsoft/signalr), as a server: ?form=json or messagepack
// /cbor        npm cbor: a word with bytes and a date, then done
// /protobuf    npm protobufjs, of desk.proto: the same
const http = require("http");
const path = require("path");
const { Server } = require("socket.io");
const { WebSocketServer } = require("ws");
const { useServer } = require("graphql-ws/use/ws");
const { buildSchema } = require("graphql");
const { JsonHubProtocol, NullLogger } = require("@microsoft/signalr");
const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");
const { HandshakeProtocol } = require("@microsoft/signalr/dist/cjs/HandshakeProtocol");
const cbor = require("cbor");
const protobuf = require("protobufjs");

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
const rootValue = { answer: ({ text }) => { count("graphql asked"); return new Promise(done => setTimeout(() => done(text), HELD_MS)); } };
// How long an answer took: from the frame that asked to the one that ends it.
graphql.on("connection", socket => {
  const began = new Map();
  const send = socket.send.bind(socket);
  socket.on("message", data => { const { type, id } = JSON.parse(data); if (type === "subscribe") began.set(id, performance.now()); });
  socket.send = (data, ...more) => {
    const { type, id } = JSON.parse(data);
    if (type === "complete") held.push(performance.now() - began.get(id));
    return send(data, ...more);
  };
});
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

const answering = (name, binary, told) => {
  const sockets = new WebSocketServer({ noServer: true });
  sockets.on("connection", socket => {
    count(`${name} connections`);
    socket.on("message", (data, isBinary) => {
      if (!isBinary) return socket.close(1003);
      const ask = binary.decode(data);
      if (Buffer.compare(ask.sound, Buffer.from([1, 2, 3]))) throw new Error(`${name}: other bytes`);
      count(`${name} asked`);
      later(() => told(ask).forEach(each => socket.send(binary.encode(each))));
    });
  });
  return sockets;
};

const cborAsked = answering("cbor", { decode: cbor.decodeFirstSync, encode: cbor.encodeOne }, ({ id, text }) => [
  { type: "word", id, n: 0, text, at: new Date(), sound: Buffer.from([4, 5]), nothing: undefined },
  { type: "done", id, n: 1, huge: 2n ** 70n, by: new Map([[1, "a"], [2, "b"]]) },
]);

const { root } = protobuf.loadSync(path.join(__dirname, "desk.proto"));
const [Ask, Event] = ["Ask", "Event"].map(name => root.lookupType(`desk.v1.${name}`));
const types = { decode: data => Ask.decode(data), encode: each => Buffer.from(Event.encode(Event.fromObject(each)).finish()) };
const protobufAsked = answering("protobuf", types, ({ id, text, mood }) => [
  { id, number: "1", word: { text, sound: [4, 5] }, mood },
  { id, number: "2", done: {} },
]);

app.on("upgrade", (request, socket, head) => {
  const asked = request.url.split("?")[0];
  const servers = { "/graphql": graphql, "/hub": hub, "/cbor": cborAsked, "/protobuf": protobufAsked };
  const server = servers[asked];
  if (server) server.handleUpgrade(request, socket, head, each => server.emit("connection", each, request));
});
app.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: app.address().port })));
