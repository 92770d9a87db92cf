// Asks how far a publication has come, until it is over. Without this script the page reloads itself.
"use strict";
{
  const region = document.getElementById("progress");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

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
        if (progress.html !== shown) {
          shown = progress.html;
          region.innerHTML = shown;
          region.dataset.over = over ? "yes" : "no";
        }
      } catch {
        await wait(3000);
      }
    }
  }

  if (region) follow();
}
