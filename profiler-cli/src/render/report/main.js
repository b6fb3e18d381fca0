// Puts the parts together once the page is there.

/** Of one snapshot there is no growth to show. */
function showOne(byId) {
  for (const show of ["growth", "before"]) byId(`show-${show}`).closest("label").hidden = true;
  byId("show-after").checked = true;
  byId("after-name").textContent = "live";
  for (const colour of document.querySelectorAll("#colours li:has(.key)")) colour.hidden = true;
  byId("by-owner").open = true;
}

function start() {
  const byId = (id) => document.getElementById(id);
  const model = new Model(JSON.parse(byId("data").textContent));
  const controls = byId("controls");
  if (!model.compared) showOne(byId);
  new Flamegraph(model, {
    controls,
    query: byId("query"),
    reset: byId("reset"),
    found: byId("found"),
    graph: byId("graph"),
    scroll: byId("scroll"),
    spacer: byId("spacer"),
    canvas: byId("canvas"),
    selected: byId("selected"),
    name: byId("selected-name"),
    place: byId("selected-place"),
    folded: byId("selected-folded"),
    numbers: byId("selected-numbers"),
    below: byId("below"),
    belowTitle: byId("below-title"),
    tip: byId("tip"),
  });
  document.documentElement.dataset.ready = "yes";
}

followTimeline();
start();
