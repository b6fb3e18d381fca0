// The call tree and its numbers. Nothing here knows of a view or of the page.

// Whose code a function is, as in data.rs.
const OWN = 0;
const LIBRARY = 2;
const RUNTIME = 3;

class Model {
  constructor(data) {
    const { strings, functions, frames, sites } = data;
    const texts = (text) => Array.from(column(text), (place) => strings[place]);
    this.sampled = data.sampled;
    this.compared = data.compared;
    this.names = texts(functions.name);
    this.files = texts(functions.file);
    this.crates = texts(functions.crate);
    this.crateIds = Int32Array.from(column(functions.crate));
    this.crateNames = strings;
    this.origins = Uint8Array.from(column(functions.origin));
    this.labels = Int32Array.from(column(frames.label));
    this.lines = Int32Array.from(column(frames.line));
    this.size = this.labels.length;
    this.link(column(frames.caller));
    this.addUp(sites);
  }

  /** Callers and children. A frame without a caller has -1, and so has the last child. */
  link(distances) {
    this.callers = new Int32Array(this.size);
    this.children = new Int32Array(this.size).fill(-1);
    this.siblings = new Int32Array(this.size).fill(-1);
    this.outermost = [];
    for (let frame = this.size - 1; frame >= 0; frame--) {
      const caller = distances[frame] > 0 ? frame - distances[frame] : -1;
      this.callers[frame] = caller;
      if (caller < 0) {
        this.outermost.push(frame);
      } else {
        this.siblings[frame] = this.children[caller];
        this.children[caller] = frame;
      }
    }
  }

  /**
   * What a frame itself holds, and what it holds with all that it calls. Errors are squares. `changed`
   * is the sum of all changes without their signs.
   */
  addUp(sites) {
    const fields = {
      before: signedColumn(sites.before),
      after: signedColumn(sites.after),
      total: column(sites.total),
      liveError: column(sites.live_error),
      changeError: column(sites.change_error),
    };
    fields.changed = fields.after.map((after, at) => Math.abs(after - fields.before[at]));
    this.sites = Int32Array.from(column(sites.site));
    for (let at = 1; at < this.sites.length; at++) this.sites[at] += this.sites[at - 1];
    this.own = {};
    this.all = {};
    for (const [field, values] of Object.entries(fields)) {
      const own = new Float64Array(this.size);
      this.sites.forEach((frame, at) => {
        own[frame] = values[at] ?? 0;
      });
      const all = own.slice();
      for (let frame = this.size - 1; frame >= 0; frame--) {
        const caller = this.callers[frame];
        if (caller >= 0) all[caller] += all[frame];
      }
      this.own[field] = own;
      this.all[field] = all;
    }
  }
}
