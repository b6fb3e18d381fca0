// Where boxes stand: rows of what is wide enough to be seen, from the zoomed box down.

/** Boxes narrower than this many pixels are lumped together. */
const LEAST_WIDTH = 1;
/** Rows below the zoomed box. Zooming in shows the next ones. */
const MOST_ROWS = 400;

/** Rows of `{ box, x, width }`; of what is lumped together `{ box: null, parent, count, … }`. */
function layOut(zoomed, width) {
  const rows = [];
  for (let box = zoomed; box; box = box.parent) rows.unshift([{ box, x: 0, width }]);
  let boxes = rows.length;
  const scale = zoomed.width > 0 ? width / zoomed.width : 0;
  let row = rows[rows.length - 1];
  for (let deep = 0; deep < MOST_ROWS && row.length > 0; deep++) {
    const below = [];
    for (const { box: parent, x: left } of row) {
      if (!parent) continue;
      let x = left;
      const small = { box: null, parent, count: 0, x: 0, width: 0 };
      for (const box of parent.children) {
        const wide = box.width * scale;
        if (wide < LEAST_WIDTH) {
          small.count++;
          small.width += wide;
          continue;
        }
        below.push({ box, x, width: wide });
        x += wide;
      }
      small.x = x;
      if (small.width >= LEAST_WIDTH) below.push(small);
    }
    if (below.length > 0) rows.push(below);
    boxes += below.length;
    row = below;
  }
  return { rows, boxes, scale };
}

/** What is at a place, if anything. */
function boxAt(layout, row, x) {
  const placed = layout.rows[row];
  return placed?.find((place) => x >= place.x && x < place.x + place.width);
}
