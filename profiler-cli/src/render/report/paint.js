// Draws the rows that are in view. Colours come from the style sheet, so that both schemes have theirs.

const ROW = 20;

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const scale = (name) =>
      style
        .getPropertyValue(name)
        .split(",")
        .map((pair) => {
          const [fill, ink] = pair.trim().split(/\s+/);
          return { fill, ink };
        });
    this.grew = scale("--grew");
    this.shrank = scale("--shrank");
    [this.fresh] = scale("--new");
    [this.gone] = scale("--gone");
    [this.unchanged] = scale("--unchanged");
    this.page = style.getPropertyValue("--page").trim();
    this.text = style.getPropertyValue("--text").trim();
    this.font = `12px ${style.getPropertyValue("--mono")}`;
    this.context.font = this.font;
    this.letter = this.context.measureText("m".repeat(100)).width / 100;
    this.hatching = this.hatch(this.gone.fill);
  }

  /** Slanted lines over a pale ground. */
  hatch(colour) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const context = tile.getContext("2d");
    context.fillStyle = this.page;
    context.fillRect(0, 0, 8, 8);
    context.strokeStyle = colour;
    context.lineWidth = 2.5;
    for (const shift of [-8, 0, 8]) {
      context.beginPath();
      context.moveTo(shift, 8);
      context.lineTo(shift + 8, 0);
      context.stroke();
    }
    return this.context.createPattern(tile, "repeat");
  }

  /** `largest` is the largest change in view: it has the strongest colour. */
  colour(box, largest) {
    if (!box.view.model.compared) return this.unchanged;
    const before = box.sum("before");
    const after = box.sum("after");
    if (before === after) return this.unchanged;
    if (before === 0) return this.fresh;
    if (after === 0) return { fill: this.hatching, ink: this.text, plain: this.page };
    const scale = after > before ? this.grew : this.shrank;
    const part = Math.min(1, Math.abs(after - before) / largest);
    return scale[Math.round(Math.sqrt(part) * (scale.length - 1))];
  }

  /** Draws what is seen `top` pixels down; returns how many boxes that is. */
  draw(layout, { top, width, height, selected, zoomed, found, largest }) {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = this.font;
    context.textBaseline = "middle";
    context.direction = "ltr";
    const first = Math.max(0, Math.floor(top / ROW));
    const last = Math.min(layout.rows.length, Math.ceil((top + height) / ROW));
    let drawn = 0;
    for (let row = first; row < last; row++) {
      const y = row * ROW - top;
      for (const place of layout.rows[row]) {
        drawn++;
        if (!place.box) {
          this.drawSmall(place, y);
          continue;
        }
        const dim = found && !found(place.box);
        context.globalAlpha = dim || place.box.depth < zoomed.depth ? 0.45 : 1;
        this.drawBox(place, y, this.colour(place.box, largest));
        context.globalAlpha = 1;
        if (found && !dim) this.outline(place, y, this.text, 1.5);
        if (place.box === selected) this.outline(place, y, this.text, 2);
      }
    }
    return drawn;
  }

  drawBox({ box, x, width }, y, colour) {
    const { context } = this;
    const wide = Math.max(0.5, width - 1);
    context.fillStyle = colour.fill;
    context.fillRect(x, y, wide, ROW - 1);
    if (colour === this.fresh && width > 3) {
      context.strokeStyle = this.text;
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, y + 0.5, wide - 1, ROW - 2);
    }
    const letters = Math.floor((width - 9) / this.letter);
    if (letters < 3) return;
    const mark = box.folded > 0 ? `⋯${box.folded} ` : "";
    let text = mark + box.name;
    if (text.length > letters && !box.view.byCrate) text = mark + shortName(box.name);
    if (text.length > letters) text = `${text.slice(0, letters - 1)}…`;
    context.font = box.isOwnCode ? `600 ${this.font}` : this.font;
    if (colour.plain) {
      context.fillStyle = colour.plain;
      context.fillRect(x + 2, y + 2, Math.min(wide - 4, text.length * this.letter + 6), ROW - 5);
    }
    context.fillStyle = colour.ink;
    context.fillText(text, x + 4.5, y + ROW / 2, width - 8);
  }

  /** Boxes that are too narrow for themselves. */
  drawSmall({ x, width }, y) {
    this.context.fillStyle = this.unchanged.fill;
    this.context.globalAlpha = 0.6;
    this.context.fillRect(x, y + ROW / 2 - 3, Math.max(0.5, width - 1), 5);
    this.context.globalAlpha = 1;
  }

  outline({ x, width }, y, colour, line) {
    const { context } = this;
    context.strokeStyle = this.page;
    context.lineWidth = line + 2;
    const inset = line / 2;
    const rectangle = [x + inset, y + inset, Math.max(1, width - 1 - line), ROW - 1 - line];
    context.strokeRect(...rectangle);
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(...rectangle);
  }
}
