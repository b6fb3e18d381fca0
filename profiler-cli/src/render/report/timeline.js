// The cursor of the timeline: numbers of the snapshot nearest to the pointer, or chosen by the arrow
// keys, out of the table below it.

function followTimeline() {
  const chart = document.getElementById("chart");
  const table = document.getElementById("timeline-table");
  if (!chart || !table) return;
  const cursor = document.getElementById("cursor");
  const values = document.getElementById("values");
  const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
  const rows = Array.from(table.tBodies[0].rows);
  const parts = rows.map((row) => Number(row.dataset.part));
  let chosen = rows.length - 1;

  const show = (at) => {
    chosen = at;
    const lines = Array.from(rows[at].cells, (cell, column) => {
      const line = document.createElement("div");
      line.textContent = column < 2 ? cell.textContent : `${heads[column]}: ${cell.textContent}`;
      return line;
    });
    values.replaceChildren(...lines);
    cursor.hidden = values.hidden = false;
    cursor.style.left = `${100 * parts[at]}%`;
    // On the side that has room.
    values.style.left = parts[at] < 0.5 ? `calc(${100 * parts[at]}% + 10px)` : "";
    values.style.right = parts[at] < 0.5 ? "" : `calc(${100 * (1 - parts[at])}% + 10px)`;
  };
  const hide = () => {
    cursor.hidden = values.hidden = true;
  };
  const nearest = (part) => {
    const distances = parts.map((other) => Math.abs(other - part));
    return distances.indexOf(Math.min(...distances));
  };

  chart.addEventListener("pointermove", (event) => {
    const { left, width } = chart.getBoundingClientRect();
    show(nearest((event.clientX - left) / width));
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -rows.length, End: rows.length };
    if (event.key === "Escape") hide();
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = cursor.hidden ? chosen : chosen + steps[event.key];
    show(Math.max(0, Math.min(rows.length - 1, from)));
  });
}
