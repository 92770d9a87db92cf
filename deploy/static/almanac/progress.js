// Asks how far a publication has come, until it is over. Without this script the page reloads itself.
"use strict";
{
  const region = document.getElementById("progress");
  const details = document.getElementById("details");
  const actions = document.getElementById("actions");
  const says = document.getElementById("says");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  // What changes every second is not read aloud; that it has come to another state is.
  function show(progress) {
    region.innerHTML = progress.html;
    details.innerHTML = progress.details;
    region.dataset.over = progress.over ? "yes" : "no";
    if (says.textContent !== progress.says) says.textContent = progress.says;
    if (actions.dataset.can !== progress.can) {
      actions.dataset.can = progress.can;
      actions.innerHTML = progress.actions;
    }
  }

  async function follow() {
    let over = region.dataset.over === "yes";
    let shown = "";
    while (!over) {
      await wait(1000);
      try {
        const response = await fetch(region.dataset.address, { headers: { Accept: "application/json" } });
        if (!response.ok) continue;
        const progress = await response.json();
        over = progress.over;
        const all = JSON.stringify([progress.html, progress.details, progress.can]);
        if (all !== shown) {
          shown = all;
          show(progress);
        }
      } catch {
        await wait(3000);
      }
    }
  }

  if (region) follow();
}
