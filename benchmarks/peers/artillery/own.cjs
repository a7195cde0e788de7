// What Artillery's users write where its steps do not reach: every event parsed and matched to its turn.
"use strict";
let number = 0;
const next = () => `${process.pid}-${(number++).toString().padStart(28, "0")}`;

function nextTurn(context, _events, done) {
  context.vars.turn = next();
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
  echo: turns("a message of one hundred bytes or so, as people type", () => true),
  burst: turns("go", (event) => event.type === "done"),
};
