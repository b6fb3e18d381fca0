// Finds functions by a part of their name, file or crate.

class Search {
  constructor(model, text) {
    this.model = model;
    const wanted = text.toLowerCase();
    const has = (texts, at) => texts[at].toLowerCase().includes(wanted);
    this.matches = Uint8Array.from(
      model.names,
      (_, at) => has(model.names, at) || has(model.files, at) || has(model.crates, at),
    );
    this.functions = this.matches.reduce((sum, match) => sum + match, 0);
  }

  /** Whether a box stands for something that was looked for. */
  found(box) {
    if (!box.parent) return false;
    if (!box.view.byCrate) return this.matches[box.label] === 1;
    const { labels } = this.model;
    return (box.cursors ?? box.sources).some((frame) => this.matches[labels[frame]]);
  }

  /** The sum over all sites with a match anywhere on their stack. Callers stand before what they call. */
  sum(field) {
    const { callers, labels, own, size } = this.model;
    const hit = new Uint8Array(size);
    let sum = 0;
    for (let frame = 0; frame < size; frame++) {
      const caller = callers[frame];
      hit[frame] = this.matches[labels[frame]] || (caller >= 0 ? hit[caller] : 0);
      if (hit[frame]) sum += own[field][frame];
    }
    return sum;
  }
}
