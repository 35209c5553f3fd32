// Things without an order of which any may be taken out. With much coming and going, this leaves
// less garbage behind than a `Set` does: docs/performance.md.

/** @template {{ place?: number }} Item */
export class Bag {
  /** @type {Item[]} */
  #items = [];

  get size() {
    return this.#items.length;
  }

  /** @param {Item} item that is in no bag */
  add(item) {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** @param {Item} item that is in it, or was */
  delete(item) {
    if (this.#items[item.place] !== item) return;
    const last = this.#items.pop();
    if (last === item) return;
    this.#items[item.place] = last;
    last.place = item.place;
  }

  /** @returns {Item[]} a copy */
  all() {
    return this.#items.slice();
  }
}
