/** A first-in, first-out queue on one reused array: a consumer that keeps up causes no allocation per item. */
export class Queue<Item> {
  #items: (Item | undefined)[] = [];
  /** Index of the oldest item, and of the next free slot. */
  #first = 0;
  #end = 0;

  add(item: Item): void {
    // For a consumer that never empties the queue. Moves no more items than were taken since the last compaction.
    if (this.#first > 0 && this.#first >= this.#end - this.#first) {
      this.#items = this.#items.slice(this.#first, this.#end);
      this.#end -= this.#first;
      this.#first = 0;
    }
    this.#items[this.#end++] = item;
  }

  replaceNewest(item: Item): void {
    this.#items[this.#end - 1] = item;
  }

  /** @returns the oldest item; `undefined` when there is none. */
  take(): Item | undefined {
    if (this.#first === this.#end) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first++] = undefined;
    if (this.#first === this.#end) this.#first = this.#end = 0;
    return item;
  }

  /** @returns the item that many places after the oldest; `undefined` when there is none. */
  peek(index: number): Item | undefined {
    const at = this.#first + index;
    return at < this.#end ? this.#items[at] : undefined;
  }

  clear(): void {
    this.#items = [];
    this.#first = this.#end = 0;
  }
}
