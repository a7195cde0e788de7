// A WAMP router that is not ours, npm fox-wamp at /ws; npm autobahn behind it offers a procedure, and publishes
// to a topic at the first calls. Counts at /counts, the port on the first line.
const http = require("http");
globalThis.WebSocket ??= require("ws"); // what autobahn takes for granted: Node 22 has it
const autobahn = require("autobahn");
const FoxRouter = require("fox-wamp");

const NOTED = 50;
const counts = {};
const count = name => { counts[name] = (counts[name] || 0) + 1; };

const app = http.createServer((request, response) => response.end(JSON.stringify({ "": counts })));
new FoxRouter().listenWAMP({ server: app, path: "/ws" }).on("connection", () => count("connections"));

app.listen(0, "127.0.0.1", () => {
  const { port } = app.address();
  const callee = new autobahn.Connection({ url: `ws://127.0.0.1:${port}/ws`, realm: "realm1" });
  callee.onopen = session => {
    const ask = ([text], _named, details) => new Promise((done, fail) => {
      count("asked");
      if (counts.asked <= NOTED) session.publish("com.example.news", [counts.asked]);
      if (details.progress) details.progress([text.split(" ")[0]]);
      setTimeout(() => text === "fail" ? fail(new autobahn.Error("com.example.error.no")) : done(text), 5);
    });
    session.register("com.example.ask", ask).then(() => console.log(JSON.stringify({ port })));
  };
  callee.open();
});
