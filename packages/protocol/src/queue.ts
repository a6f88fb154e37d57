/** First in, first out, on one array that is used again: a consumer that keeps up allocates none per piece. */
export class Queue<Item> {
  #items: (Item | undefined)[] = [];
  /** Where the oldest item is, and where the next one goes. */
  #first = 0;
  #end = 0;

  add(item: Item): void {
    // For a consumer that never takes all; moves no more items than were taken since the last time.
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
}
