// What Artillery's users write where its steps do not reach: every event parsed and matched to its turn.
"use strict";
const { createHmac, randomUUID } = require("node:crypto");
const SECRET = "a secret that only this benchmark knows";
let number = 0;
const next = () => `${process.pid}-${(number++).toString().padStart(28, "0")}`;

function nextTurn(context, _events, done) {
  context.vars.turn = next();
  return done();
}

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function withToken(ws, _context, done) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded({ sub: randomUUID(), iat: now, exp: now + 3600 })}`;
  const token = `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
  ws.options.headers = { Authorization: `Bearer ${token}` };
  return done();
}

function turns(text, ends) {
  return (context, events, done) => {
    let turn, began;
    const begin = () => {
      turn = next();
      began = process.hrtime.bigint();
      context.ws.send(JSON.stringify({ id: turn, text }));
    };
    context.ws.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if ((event.turn ?? event.id) !== turn) return done(new Error("an event of another turn"));
      if (!ends(event)) return;
      events.emit("histogram", "turn.completion", Number(process.hrtime.bigint() - began) / 1e6);
      begin();
    };
    begin();
  };
}

module.exports = {
  nextTurn,
  withToken,
  echo: turns("a message of one hundred bytes or so, as people type", () => true),
  echo64k: turns("x".repeat(65536), () => true),
  echo1m: turns("x".repeat(1048576), () => true),
  burst: turns("go", (event) => event.type === "done"),
};
