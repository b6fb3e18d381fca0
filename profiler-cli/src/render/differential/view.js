// Zoom and search in the picture: click, Enter, arrow keys; `/` and letters; Esc goes back.
// Reads only the attributes of the frames, asks for nothing, and keeps nothing.
const root = document.documentElement;
const details = document.getElementById("details");
const search = document.getElementById("search");
const hints = { details: details.textContent, search: search.textContent };
const NARROW = 24;

const frames = Array.from(document.querySelectorAll(".frame"), (element) => ({
  element,
  title: element.querySelector("title").textContent,
  left: parseFloat(element.getAttribute("x")),
  width: parseFloat(element.getAttribute("width")),
  change: Number(element.dataset.change),
  calls: [],
}));
frames.forEach((frame, at) => {
  frame.at = at;
  frame.caller = at ? frames[frame.element.dataset.caller] : null;
  const lines = frame.title.split("\n");
  frame.numbers = lines.pop();
  frame.names = lines.join("\n").toLowerCase();
  frame.label = lines.length > 1 ? `${lines[0]} … ${lines.at(-1)}` : lines[0];
  if (frame.caller) frame.caller.calls.push(frame);
});
for (const frame of frames) frame.calls.sort((a, b) => a.left - b.left);

let zoomed = frames[0];
let pointed = null;
let wanted = "";
let typing = false;

const callers = (frame) => {
  const found = [];
  for (let at = frame.caller; at; at = at.caller) found.push(at);
  return found;
};

function show() {
  const scale = 100 / zoomed.width;
  const below = new Set(callers(zoomed));
  const inside = new Set([zoomed]);
  const pixels = document.getElementById("frames").getBoundingClientRect().width / 100;
  for (const frame of frames) {
    if (frame.caller && inside.has(frame.caller)) inside.add(frame);
    const shown = inside.has(frame) || below.has(frame);
    frame.element.classList.toggle("hidden", !shown);
    frame.element.classList.toggle("below", below.has(frame));
    if (!shown) continue;
    const [left, width] = below.has(frame)
      ? [0, 100]
      : [(frame.left - zoomed.left) * scale, frame.width * scale];
    frame.element.setAttribute("x", left + "%");
    frame.element.setAttribute("width", width + "%");
    frame.element.classList.toggle("narrow", width * pixels < NARROW);
  }
}

function zoom(frame) {
  zoomed = frame;
  show();
}

function point(frame) {
  if (pointed) pointed.element.classList.remove("pointed");
  pointed = frame;
  if (frame) frame.element.classList.add("pointed");
  details.textContent = frame ? `${frame.label}   ${frame.numbers}` : hints.details;
}

function find(text) {
  wanted = text;
  const needle = text.toLowerCase();
  const inFound = new Set();
  let sum = 0;
  let count = 0;
  for (const frame of frames) {
    const found = needle !== "" && frame.names.includes(needle);
    frame.element.classList.toggle("found", found);
    count += found;
    // What is found inside what is found has been counted.
    if (inFound.has(frame.caller)) inFound.add(frame);
    else if (found) {
      inFound.add(frame);
      sum += frame.change;
    }
  }
  const caret = typing ? "_" : "";
  search.textContent = needle || typing ? `search: ${text}${caret}` : hints.search;
  if (needle) details.textContent = `${count} frames match, ${change(sum)} net`;
  else if (!pointed) details.textContent = hints.details;
}

function reset() {
  typing = false;
  point(null);
  find("");
  zoom(frames[0]);
}

// The next frame in the direction of an arrow key, among those that are shown.
function neighbour(key) {
  const from = pointed || zoomed;
  if (key === "ArrowUp") return from.calls[0];
  if (key === "ArrowDown") return from.caller;
  const row = from.caller ? from.caller.calls : [from];
  return row[row.indexOf(from) + (key === "ArrowRight" ? 1 : -1)];
}

function type(key) {
  if (key === "Enter") typing = false;
  const text = key === "Backspace" ? wanted.slice(0, -1) : key.length === 1 ? wanted + key : wanted;
  find(text);
}

root.addEventListener("click", (event) => {
  const at = event.target.closest(".frame");
  const owner = event.target.closest("[data-find]");
  if (at) zoom(frames.find((frame) => frame.element === at));
  else if (owner) find(wanted === owner.dataset.find ? "" : owner.dataset.find);
  else if (event.target.closest("#reset")) reset();
  else if (event.target.closest("#search")) {
    typing = true;
    find("");
  }
});
root.addEventListener("mouseover", (event) => {
  const at = event.target.closest(".frame");
  if (at) point(frames.find((frame) => frame.element === at));
});
window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") reset();
  else if (typing) type(event.key);
  else if (event.key === "/") {
    typing = true;
    find("");
  } else if (event.key.startsWith("Arrow")) {
    const next = neighbour(event.key);
    if (next) point(next);
  } else if (event.key === "Enter" && pointed) zoom(pointed);
  else return;
  event.preventDefault();
});
window.addEventListener("resize", show);

// As wide as the window.
root.removeAttribute("viewBox");
root.setAttribute("width", "100%");
show();
