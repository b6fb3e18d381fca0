// A way to look at the model: a tree of boxes whose children are made when they are looked at, so that
// its price is what is seen and not what there is.

/** What the width of a box is, by the name of the view. */
const WIDTHS = { growth: "changed", after: "after", before: "before", allocated: "total" };

/** Amounts by which two boxes hold the same or not. */
const FIELDS = ["before", "after", "total", "changed"];

class Box {
  /** `sources` are frames of the model; of an inverted view sites, each at the frame in `cursors`. */
  constructor(view, parent, key, sources, cursors) {
    this.view = view;
    this.parent = parent;
    this.key = key;
    this.sources = sources;
    this.cursors = cursors;
    this.depth = parent ? parent.depth + 1 : 0;
    this.known = new Map();
    /** Callers that stand in this box too, since each of them does nothing but call the next. */
    this.folded = 0;
  }

  /** A number of this box with all that is below it. */
  sum(field) {
    let sum = this.known.get(field);
    if (sum === undefined) {
      const values = this.view.values[field];
      sum = 0;
      for (const source of this.sources) sum += values[source];
      this.known.set(field, sum);
    }
    return sum;
  }

  get width() {
    let width = this.known.get("width");
    if (width === undefined) {
      // A negative amount has no width, and takes none from its neighbours.
      const values = this.view.values[this.view.field];
      width = 0;
      for (const source of this.sources) width += Math.max(0, values[source]);
      this.known.set("width", width);
    }
    return width;
  }

  get change() {
    return this.sum("after") - this.sum("before");
  }

  get children() {
    this.below ??= this.view.expand(this);
    return this.below;
  }

  /** Its function, or the first of many. */
  get label() {
    return this.view.model.labels[(this.cursors ?? this.sources)[0]];
  }

  get name() {
    if (!this.parent) return this.view.rootName;
    const { model, byCrate } = this.view;
    return byCrate ? model.crateNames[this.key] || "[no crate]" : model.names[this.label];
  }

  /** The frame of the model that most of its width comes from. */
  get heaviest() {
    const values = this.view.values[this.view.field];
    let heaviest = 0;
    this.sources.forEach((source, at) => {
      if (values[source] > values[this.sources[heaviest]]) heaviest = at;
    });
    return (this.cursors ?? this.sources)[heaviest];
  }

  /** Source file, and the line of the heaviest of its stacks. */
  get place() {
    if (!this.parent || this.view.byCrate) return "";
    const { model } = this.view;
    const file = model.files[this.label];
    const line = model.lines[this.heaviest];
    return file && line ? `${file}:${line}` : file;
  }

  get isLibrary() {
    const origin = this.view.model.origins[this.label];
    return origin === LIBRARY || origin === RUNTIME;
  }

  get isOwnCode() {
    return this.parent !== null && this.view.model.origins[this.label] === OWN;
  }
}

class View {
  constructor(model, { show, inverted, byCrate, runtime, unfolded }) {
    this.model = model;
    this.show = show;
    this.field = WIDTHS[show];
    this.inverted = inverted;
    this.byCrate = byCrate;
    this.unfolded = unfolded;
    this.values = inverted ? model.own : model.all;
    this.rootName = "all";
    /** How many boxes have been opened: the work done. */
    this.opened = 0;
    this.keys = byCrate
      ? model.labels.map((label) => model.crateIds[label])
      : model.labels;
    this.hidden = Uint8Array.from(model.origins, (origin) => !runtime && origin === RUNTIME);
    if (inverted) this.findOuter();
    this.root = inverted
      ? new Box(this, null, -1, model.sites, null)
      : new Box(this, null, -1, model.outermost, null);
  }

  /** For each frame the one that is shown in its place, and the next one outward from that; -1 for none. */
  findOuter() {
    const { labels, callers, size } = this.model;
    this.shown = new Int32Array(size);
    this.outer = new Int32Array(size);
    for (let frame = 0; frame < size; frame++) {
      const caller = callers[frame];
      const next = caller < 0 ? -1 : this.shown[caller];
      if (this.hidden[labels[frame]]) {
        this.shown[frame] = next;
        continue;
      }
      this.shown[frame] = frame;
      // Neighbours of one crate are one box.
      const same = this.byCrate && next >= 0 && this.keys[next] === this.keys[frame];
      this.outer[frame] = same ? this.outer[next] : next;
    }
  }

  expand(box) {
    const children = this.below(box).map((child) => this.fold(child));
    // The widest first; of changes, growth before loss.
    const weight = this.show === "growth" ? (child) => child.change : (child) => child.width;
    return children.sort((a, b) => weight(b) - weight(a) || b.width - a.width);
  }

  /** What is right below a box. */
  below(box) {
    this.opened++;
    const groups = this.inverted ? this.callersOf(box) : this.calleesOf(box);
    return Array.from(
      groups,
      ([key, { sources, cursors }]) => new Box(this, box, key, sources, cursors),
    );
  }

  /**
   * Libraries call through dozens of their own functions. Of a chain in which each holds what the next
   * one holds, the last is shown. Code that may be the user's own is never folded.
   */
  fold(box) {
    let last = box;
    while (!this.unfolded && !this.byCrate && last.isLibrary) {
      const [next, ...others] = this.below(last);
      if (!next?.isLibrary || others.length > 0) break;
      if (FIELDS.some((field) => next.sum(field) !== last.sum(field))) break;
      next.folded = last.folded + 1;
      next.parent = last.parent;
      next.depth = last.depth;
      last = next;
    }
    return last;
  }

  calleesOf(box) {
    const { labels, children, siblings } = this.model;
    const groups = new Map();
    const open = [];
    const meet = (frame) => {
      if (this.hidden[labels[frame]] || (this.byCrate && this.keys[frame] === box.key)) {
        open.push(frame);
        return;
      }
      const group = groups.get(this.keys[frame]);
      if (group) group.sources.push(frame);
      else groups.set(this.keys[frame], { sources: [frame], cursors: null });
    };
    if (box.parent) open.push(...box.sources);
    else box.sources.forEach(meet);
    while (open.length > 0) {
      for (let frame = children[open.pop()]; frame >= 0; frame = siblings[frame]) meet(frame);
    }
    return groups;
  }

  callersOf(box) {
    const groups = new Map();
    box.sources.forEach((site, at) => {
      const frame = box.cursors ? this.outer[box.cursors[at]] : this.shown[site];
      if (frame < 0) return;
      const group = groups.get(this.keys[frame]);
      if (group) {
        group.sources.push(site);
        group.cursors.push(frame);
      } else {
        groups.set(this.keys[frame], { sources: [site], cursors: [frame] });
      }
    });
    return groups;
  }
}
