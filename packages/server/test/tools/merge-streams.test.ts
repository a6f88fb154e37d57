import { expect, test } from "vitest";
import { mergeStreams } from "../../src/tools/merge-streams.ts";

/** Counts who waits for it, derived promises included. */
class CountingPromise<Value> extends Promise<Value> {
  static listeners = 0;

  // biome-ignore lint/suspicious/noThenProperty: what is counted.
  override then<Result, Failure>(
    onValue?: ((value: Value) => Result | PromiseLike<Result>) | null,
    onError?: ((error: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure> {
    CountingPromise.listeners++;
    return super.then(onValue, onError);
  }
}

test("a stream that waits remembers nothing of the chunks of the others", async () => {
  let release = (_: IteratorResult<number, string>) => {};
  const waiting = new CountingPromise<IteratorResult<number, string>>((resolve) => {
    release = resolve;
  });
  async function* count(): AsyncGenerator<number, string, void> {
    for (let number = 0; number < 100; number++) yield number;
    release({ done: true, value: "slow" });
    return "fast";
  }
  const slow = { next: () => waiting, return: async () => {} } as unknown as AsyncGenerator<
    number,
    string,
    void
  >;
  const merged = mergeStreams([slow, count()], new AbortController().signal);
  const numbers: number[] = [];
  let result = await merged.next();
  for (; !result.done; result = await merged.next()) numbers.push(result.value);
  expect(numbers).toHaveLength(100);
  expect(result.value).toEqual(["slow", "fast"]);
  expect(CountingPromise.listeners).toBeLessThan(10);
});
