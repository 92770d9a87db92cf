// Says beside each price of one unit what a million of them cost; digits are moved as text, never as floats.
"use strict";
{
  function perMillion(text) {
    const found = /^(\d+)(?:\.(\d+))?$/.exec(text.trim());
    if (!found) return "";
    const fraction = (found[2] || "").padEnd(6, "0");
    const whole = (found[1] + fraction.slice(0, 6)).replace(/^0+(?=\d)/, "");
    const rest = fraction.slice(6).replace(/0+$/, "");
    return rest ? `${whole}.${rest}` : whole;
  }

  function show(input) {
    let hint = input.parentElement.querySelector(".per-million");
    if (!hint) {
      hint = document.createElement("span");
      hint.className = "per-million";
      input.insertAdjacentElement("afterend", hint);
    }
    const unit = document.getElementById(input.id.replace(/amount$/, "unit"));
    const counted = !unit || ["token", "character", "pixel"].includes(unit.value);
    const price = counted ? perMillion(input.value) : "";
    hint.textContent = price ? `${price} per million` : "";
  }

  const isPrice = (element) => element.matches && element.matches("input[name^='prices-'][name$='-amount']");
  const showAll = () => document.querySelectorAll("input[name^='prices-'][name$='-amount']").forEach(show);

  document.addEventListener("input", (event) => {
    if (isPrice(event.target)) show(event.target);
  });
  document.addEventListener("change", showAll);
  showAll();
}
