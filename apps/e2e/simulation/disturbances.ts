/** What has gone wrong, and when: the only excuses that the checks accept. */

/** Where something goes wrong. */
export type Place = "store" | "server" | "suspension" | "network";

interface Disturbance {
  readonly place: Place;
  /** Undefined if it concerns all of them. */
  readonly client: string | undefined;
  readonly from: number;
  to: number;
}

export class Disturbances {
  readonly #all: Disturbance[] = [];

  /** @returns a function to call when it is over. */
  begin(place: Place, from: number, client?: string): (to: number) => void {
    const disturbance: Disturbance = { place, client, from, to: Number.POSITIVE_INFINITY };
    this.#all.push(disturbance);
    return (to) => {
      disturbance.to = to;
    };
  }

  /** How much of this time the store was disturbed. */
  storeMs(from: number, to: number): number {
    const ofStore = this.#all.filter(({ place }) => place === "store");
    return ofStore.reduce(
      (sum, one) => sum + Math.max(0, Math.min(one.to, to) - Math.max(one.from, from)),
      0,
    );
  }

  has(
    place: Place,
    { from, to, client }: { from: number; to: number; client?: string | undefined },
  ): boolean {
    return this.#of(client).some((one) => one.place === place && one.from <= to && one.to >= from);
  }

  /** When the last one was over that this client could have noticed. */
  lastEnd(client: string | undefined): number {
    return this.#of(client).reduce((last, { to }) => Math.max(last, to), 0);
  }

  #of(client: string | undefined): Disturbance[] {
    return this.#all.filter((one) => one.client === undefined || one.client === client);
  }
}
