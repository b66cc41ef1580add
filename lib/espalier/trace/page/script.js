// Shows the row of a token in the panel: of the one that is pointed at, or else of the one that was chosen last.
// Neither of the two characters that XML reserves is written here.
"use strict";
const list = document.querySelector("[role=listbox]");
const tokens = [...list.querySelectorAll(".token")];
const rows = document.querySelector("tbody").rows;
const names = [...document.querySelectorAll("th")].map((cell) => cell.textContent);
const chart = document.querySelector(".chart svg");
const panel = document.querySelector(".panel");
const bars = [4, 6];
const unknown = "–";
const perBar = chart ? Number(chart.dataset.perBar) : 1;
let chosen = 0;

function show(place) {
  const [, token, , , , , , likeliest] = rows[place].cells;
  panel.querySelector("h2 code").replaceChildren(...token.firstChild.cloneNode(true).childNodes);
  panel.querySelector("small").textContent = `token ${place + 1} of ${tokens.length}`;
  const known = [2, 3, 4, 5, 6].filter((column) => rows[place].cells[column].textContent !== unknown);
  panel.querySelector("dl").replaceChildren(...known.flatMap((column) => pair(place, column)));
  panel.querySelector(".likeliest").hidden = likeliest.textContent === unknown;
  panel.querySelector(".likeliest div").replaceChildren(...likeliest.cloneNode(true).childNodes);
  panel.querySelectorAll("li").forEach((item) => measure(item, item.querySelector("span").textContent));
  chart?.querySelector(".cursor").setAttribute("d", `M${Math.floor(place / perBar)} -2v112h1v-112z`);
}

function pair(place, column) {
  const cell = rows[place].cells[column];
  const name = document.createElement("dt");
  const value = document.createElement("dd");
  name.textContent = names[column];
  value.textContent = cell.textContent;
  if (bars.includes(column)) measure(value, cell.textContent);
  return [name, value];
}

function measure(element, probability) {
  element.style.setProperty("--part", `${100 * (parseFloat(probability) || 0)}%`);
}

function choose(place) {
  tokens[chosen].tabIndex = -1;
  tokens[chosen].removeAttribute("aria-selected");
  chosen = place;
  tokens[chosen].tabIndex = 0;
  tokens[chosen].setAttribute("aria-selected", "true");
  show(chosen);
}

function at(event) {
  return tokens.indexOf(event.target.closest(".token"));
}

function corner(place) {
  return tokens[place].getClientRects()[0];
}

// The token above or below: of the next line, the one that begins nearest to where this one does.
function beside(step) {
  const from = corner(chosen);
  let [line, best, nearest] = [null, chosen, Infinity];

  for (let place = chosen + step; tokens[place]; place += step) {
    const { top, left } = corner(place);
    if (4 > Math.abs(top - from.top)) continue;
    line ??= top;
    if (Math.abs(top - line) > 4) break;
    const distance = Math.abs(left - from.left);
    if (nearest > distance) [best, nearest] = [place, distance];
  }

  return best;
}

const keys = {
  ArrowLeft: () => Math.max(chosen - 1, 0),
  ArrowRight: () => Math.min(chosen + 1, tokens.length - 1),
  ArrowUp: () => beside(-1),
  ArrowDown: () => beside(1),
  Home: () => 0,
  End: () => tokens.length - 1,
};

function start() {
  list.addEventListener("focusin", (event) => choose(at(event)));
  list.addEventListener("click", (event) => at(event) === -1 || tokens[at(event)].focus());
  list.addEventListener("pointerover", (event) => at(event) === -1 || show(at(event)));
  list.addEventListener("pointerleave", () => show(chosen));

  list.addEventListener("keydown", (event) => {
    const to = keys[event.key];
    if (to === undefined) return;
    event.preventDefault();
    tokens[to()].focus();
  });

  chart?.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    const bar = Math.floor(((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width);
    tokens[Math.min(Math.max(bar * perBar, 0), tokens.length - 1)].focus();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#row-']");
    if (link === null) return;
    event.preventDefault();
    tokens[Number(link.hash.slice(5)) - 1].focus();
  });

  panel.hidden = false;
  choose(Number(list.dataset.first) - 1);
}

if (tokens.length > 0) start();
