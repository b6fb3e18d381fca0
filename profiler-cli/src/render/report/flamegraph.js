// The flamegraph on the page: what is shown, what is chosen, and the keys and pointers that change it.

class Flamegraph {
  constructor(model, page) {
    this.model = model;
    this.page = page;
    this.painter = new Painter(page.canvas);
    this.search = null;
    this.look();
    this.listen();
  }

  /** Another view, as the controls say. */
  look() {
    const { controls } = this.page;
    this.view = new View(this.model, {
      show: controls.elements.show.value,
      inverted: controls.elements.inverted.checked,
      byCrate: controls.elements.crates.checked,
      runtime: controls.elements.runtime.checked,
      unfolded: controls.elements.unfolded.checked,
    });
    this.zoom(this.view.root);
  }

  layOut() {
    this.width = this.page.scroll.clientWidth;
    this.layout = layOut(this.zoomed, this.width);
    const all = this.layout.rows.length * ROW;
    const height = Math.min(all, Math.max(240, Math.round(window.innerHeight * 0.7)));
    this.height = height;
    this.page.scroll.style.height = `${height}px`;
    this.page.spacer.style.height = `${all}px`;
    this.page.canvas.style.height = `${height}px`;
    this.page.canvas.style.width = `${this.width}px`;
    this.select(this.selected);
  }

  draw() {
    const { canvas, scroll } = this.page;
    const search = this.search;
    const drawn = this.painter.draw(this.layout, {
      top: scroll.scrollTop,
      width: this.width,
      height: this.height,
      selected: this.selected,
      zoomed: this.zoomed,
      found: search && ((box) => search.found(box)),
      largest: Math.max(1, this.view.root.sum("changed")),
    });
    // What was done for this picture, to be looked at from outside.
    Object.assign(canvas.dataset, { drawn, boxes: this.layout.boxes, opened: this.view.opened });
  }

  select(box) {
    this.selected = box;
    const top = box.depth * ROW;
    const { scroll } = this.page;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    const lowest = top + ROW - this.height;
    if (lowest > scroll.scrollTop) scroll.scrollTop = lowest;
    this.tell();
    this.draw();
  }

  zoom(box) {
    this.zoomed = this.selected = box;
    this.layOut();
  }

  /** The numbers of a box, as lines of text. */
  numbers(box) {
    const { model, view } = this;
    const lines = [];
    const error = (field) => (model.sampled ? ` ±${bytes(Math.sqrt(box.sum(field)))}` : "");
    if (model.compared) {
      lines.push(`${change(box.change)}${error("changeError")}`);
      lines.push(`before ${bytes(box.sum("before"))}, after ${bytes(box.sum("after"))}`);
    } else {
      lines.push(`${bytes(box.sum("after"))}${error("liveError")} live`);
    }
    lines.push(`${bytes(box.sum("total"))} ever allocated`);
    const what = { growth: "of all change", allocated: "of all that was allocated" };
    lines.push(`${share(box.width, view.root.width)} ${what[view.show] ?? "of all that is live"}`);
    return lines;
  }

  /** Says what is selected, to eyes and to screen readers, and lists what it calls. */
  tell() {
    const { page, selected } = this;
    page.name.textContent = selected.name;
    page.place.textContent = selected.place;
    page.folded.textContent = foldedText(selected);
    page.numbers.textContent = this.numbers(selected).join(" · ");
    Object.assign(page.selected.dataset, {
      before: selected.sum("before"),
      after: selected.sum("after"),
      total: selected.sum("total"),
    });
    listBelow(page.below, selected, (box) => this.zoom(box));
    page.belowTitle.textContent = `As a table: what is below ${shortName(selected.name)}`;
  }

  find(text) {
    this.search = text ? new Search(this.model, text) : null;
    this.page.found.textContent = this.search ? this.foundText() : "";
    this.draw();
  }

  foundText() {
    const { search, view } = this;
    if (search.functions === 0) return "no function matches";
    const functions = `${count(search.functions)} function${search.functions === 1 ? "" : "s"}`;
    if (view.show !== "growth") {
      return `${functions}, ${bytes(search.sum(view.field))} through them`;
    }
    return `${functions}, ${change(search.sum("after") - search.sum("before"))} through them`;
  }

  /** Selects the next box that was found, the widest first; of all, if none is in view. */
  next(step) {
    if (!this.search) return;
    const inView = () => this.layout.rows.flat().filter(({ box }) => box && this.search.found(box));
    let places = inView();
    if (places.length === 0 && this.zoomed !== this.view.root) {
      this.zoom(this.view.root);
      places = inView();
    }
    if (places.length === 0) {
      if (this.search.functions > 0) {
        this.page.found.textContent = `${this.foundText()}; too narrow or hidden in this view`;
      }
      return;
    }
    places.sort((a, b) => b.width - a.width || a.box.depth - b.box.depth);
    const at = places.findIndex(({ box }) => box === this.selected);
    const to = at < 0 && step < 0 ? places.length - 1 : at + step;
    this.select(places[(to + places.length) % places.length].box);
  }

  reset() {
    this.page.query.value = "";
    this.search = null;
    this.page.found.textContent = "";
    this.zoom(this.view.root);
  }

  /** From a suspect to its place in the picture. */
  show(name) {
    this.zoom(this.view.root);
    this.page.query.value = name;
    this.find(name);
    this.next(1);
    this.page.graph.scrollIntoView({ block: "center" });
    this.page.graph.focus({ preventScroll: true });
  }

  /** Selects a neighbour: out, in, or beside. */
  move(key) {
    const { rows } = this.layout;
    const row = rows[this.selected.depth] ?? [];
    const beside = row.filter(({ box }) => box);
    const at = beside.findIndex(({ box }) => box === this.selected);
    const below = rows[this.selected.depth + 1] ?? [];
    const to = {
      ArrowUp: this.selected.parent,
      ArrowDown: below
        .filter(({ box }) => box?.parent === this.selected)
        .sort((a, b) => b.width - a.width)[0]?.box,
      ArrowLeft: beside[at - 1]?.box,
      ArrowRight: beside[at + 1]?.box,
      Home: this.view.root,
    }[key];
    if (to) this.select(to);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (key.startsWith("Arrow") || key === "Home") this.move(key);
    else if (key === "Enter" || key === " ") this.zoom(this.selected);
    else if (key === "Escape") this.reset();
    else if (key === "n") this.next(1);
    else if (key === "N") this.next(-1);
    else return;
    event.preventDefault();
  }

  placeAt(event) {
    const { left, top } = this.page.scroll.getBoundingClientRect();
    const row = Math.floor((event.clientY - top + this.page.scroll.scrollTop) / ROW);
    return boxAt(this.layout, row, event.clientX - left);
  }

  hover(event) {
    const { tip } = this.page;
    // A finger has no place to rest at.
    const place = event.pointerType !== "touch" && this.placeAt(event);
    tip.hidden = !place;
    if (!place) return;
    const { box, parent } = place;
    const lines = box
      ? [box.name, box.place, foldedText(box), ...this.numbers(box)].filter(Boolean)
      : [`${count(place.count)} boxes that are too narrow here`, `zoom into ${parent.name} to see them`];
    tip.replaceChildren(...lines.map((line) => element("div", line)));
    const { innerWidth, innerHeight } = window;
    const { width, height } = tip.getBoundingClientRect();
    const below = event.clientY + 18;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${below + height < innerHeight ? below : event.clientY - height - 12}px`;
  }

  listen() {
    const { graph, scroll, controls, query, tip, reset } = this.page;
    graph.addEventListener("keydown", (event) => this.onKey(event));
    scroll.addEventListener("scroll", () => this.draw());
    scroll.addEventListener("pointermove", (event) => this.hover(event));
    scroll.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
    scroll.addEventListener("click", (event) => {
      const place = this.placeAt(event);
      if (place) this.zoom(place.box ?? place.parent);
    });
    controls.addEventListener("submit", (event) => event.preventDefault());
    controls.addEventListener("change", (event) => {
      if (event.target === query) return;
      this.look();
      this.find(query.value.trim());
    });
    query.addEventListener("input", () => this.find(query.value.trim()));
    query.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      if (event.key === "Escape") this.reset();
      else this.next(1);
      graph.focus({ preventScroll: true });
    });
    reset.addEventListener("click", () => this.reset());
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLInputElement && event.target.type === "search";
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      query.focus();
      query.select();
    });
    for (const button of document.querySelectorAll("button[data-function]")) {
      button.addEventListener("click", () => this.show(button.dataset.function));
    }
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => {
      this.painter.readColours();
      this.draw();
    });
    new ResizeObserver(() => {
      if (this.page.scroll.clientWidth !== this.width) this.layOut();
    }).observe(scroll);
  }
}

function foldedText({ folded, view }) {
  if (folded === 0) return "";
  const calls = folded === 1 ? "1 call" : `${folded} calls`;
  return `${view.inverted ? "through" : "by"} ${calls} in libraries`;
}
