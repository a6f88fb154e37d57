/** Ids that the AI SDK reads as unique, from ids that our contract lets a stream use again. */

/** Gives each use of an id a name of its own: the id itself at first. The same ids in the same order get the same names. */
export class UniqueIds {
  readonly #taken = new Set<string>();
  readonly #numbers = new Map<string, number>();

  /** @returns an id that was not returned before. Takes constant time on average. */
  take(id: string): string {
    let number = this.#numbers.get(id) ?? 1;
    let name = number === 1 ? id : `${id}:${number}`;
    while (this.#taken.has(name)) name = `${id}:${++number}`;
    this.#numbers.set(id, number + 1);
    this.#taken.add(name);
    return name;
  }
}
