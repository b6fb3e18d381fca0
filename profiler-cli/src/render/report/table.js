// The flamegraph in words, for those who read it or have it read to them.

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** Rows of the table: the widest boxes below one, each a button that zooms. */
function listBelow(body, parent, zoom) {
  const most = 30;
  const children = [...parent.children].sort((a, b) => b.width - a.width);
  const rows = children.slice(0, most).map((box) => {
    const row = document.createElement("tr");
    const cells = [change(box.change), bytes(box.sum("before")), bytes(box.sum("after"))];
    row.append(...cells.map((text) => element("td", text)));
    const button = element("button", box.name);
    button.type = "button";
    button.addEventListener("click", () => zoom(box));
    const cell = document.createElement("td");
    cell.append(button, " ", element("code", box.place));
    row.append(cell);
    return row;
  });
  if (rows.length === 0) {
    const cell = element("td", "nothing: what is held here was allocated here itself");
    cell.colSpan = 4;
    rows.push(document.createElement("tr"));
    rows[0].append(cell);
  }
  body.replaceChildren(...rows);
}
