/**
 * Which objects and arrays a fold may change in place: those that it has created since it last handed out its result.
 * Anything else is copied first, so that results never change and folding takes linear time.
 */
export class OwnedContainers {
  #created = new WeakSet<object>();

  /** @returns the container itself if it is owned, else a copy that is. */
  // biome-ignore lint/suspicious/noExplicitAny: an array or an object.
  own(container: any): any {
    if (this.#created.has(container)) return container;
    const copy = Array.isArray(container) ? container.slice() : { ...container };
    this.#created.add(copy);
    return copy;
  }

  /** The result was handed out: from now on, nothing in it may change. */
  release(): void {
    this.#created = new WeakSet();
  }
}
