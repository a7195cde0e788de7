// Renews the page where it stands: what was opened stays open, and a button pauses it.
"use strict";

(() => {
  const button = document.getElementById("pause");
  const told = document.getElementById("renewed");
  const everyS = Number(button.dataset.everyS);
  const titles = () => [...document.querySelectorAll("details > summary > h2")].map((each) => each.textContent);
  const folds = () => [...document.querySelectorAll("details")];
  let paused = false;

  function take(found) {
    const names = titles();
    const open = new Set(names.filter((_name, at) => folds()[at].open));
    const focused = folds().findIndex((each) => each.contains(document.activeElement));
    const had = names[focused];
    document.title = found.title;
    for (const part of ["header.top", "main"]) document.querySelector(part).replaceWith(found.querySelector(part));
    titles().forEach((name, at) => {
      folds()[at].open = open.has(name);
      if (name === had) folds()[at].querySelector("summary").focus({ preventScroll: true });
    });
  }

  async function renew() {
    if (paused) return;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store" });
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (found.querySelector("main")) take(found);
      told.textContent = `Renewed every ${everyS} s.`;
    } catch {
      told.textContent = "The watch no longer answers: what stands here is the last that it said.";
    }
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on renewing" : "Pause";
    told.textContent = paused ? "Paused: what stands here grows old." : `Renewed every ${everyS} s.`;
    renew();
  });
  setInterval(renew, everyS * 1000);
})();
