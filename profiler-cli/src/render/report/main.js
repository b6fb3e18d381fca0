// Puts the parts together once the page is there.

function start() {
  const byId = (id) => document.getElementById(id);
  const model = new Model(JSON.parse(byId("data").textContent));
  const controls = byId("controls");
  if (!model.compared) {
    for (const show of ["growth", "before"]) byId(`show-${show}`).disabled = true;
    byId("show-after").checked = true;
  }
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
