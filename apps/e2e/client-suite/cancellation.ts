/**
 * Every way to cancel a stream that never ends: the body is cancelled at once, the server's source stops, and no
 * listener remains.
 */
import type { StreamChunk } from "@kortyx/client";
import type { SeenRequest } from "./answer.ts";
import { answerUrl } from "./answer.ts";
import { delta, done, doneMarker, frame, frameOf } from "./frames.ts";
import { type SourceState, sourceUrl } from "./source-state.ts";
import {
  assert,
  assertEqual,
  newId,
  pause,
  pollServer,
  type SuiteCase,
  type SuiteContext,
} from "./suite-case.ts";
import { type TappedFetch, tapFetch } from "./tapped-fetch.ts";

/** The objects that a consumer has when it cancels. */
interface Consumer {
  client: SuiteContext["client"];
  stream: AsyncIterable<StreamChunk>;
  abort: AbortController;
  tap: TappedFetch;
}

interface Way {
  name: string;
  /** The server's source during the test. */
  source: "idle" | "ticking";
  /** Reads and then cancels. @returns the result for the consumer */
  cancel(consumer: Consumer): Promise<string>;
  ends: string;
}

const boom = new Error("boom");

/** Reads until a read is pending that no chunk will resolve. */
async function readToSilence({ stream, tap }: Consumer) {
  const iterator = stream[Symbol.asyncIterator]();
  assertEqual(await iterator.next(), { done: false, value: delta("a") }, "the only chunk");
  const pending = iterator.next();
  // Handled here too, so that an early rejection is not unhandled.
  pending.catch(() => {});
  while (!tap.isReading) await pause(0);
  return { iterator, pending };
}

/** The result of a promise, unless it needs longer than one macrotask. */
const comesTo = (promise: Promise<unknown>): Promise<string> =>
  Promise.race([
    promise.then(
      (value) => JSON.stringify(value),
      (error) => `throws ${error}`,
    ),
    pause(0).then(() => "nothing yet"),
  ]);

const ways: Way[] = [
  {
    name: "break",
    source: "ticking",
    async cancel({ stream }) {
      for await (const _ of stream) break;
      return "cancelled";
    },
    ends: "cancelled",
  },
  {
    name: "a throw in the loop",
    source: "ticking",
    async cancel({ stream }) {
      try {
        for await (const _ of stream) throw boom;
      } catch (error) {
        return error === boom ? "the same error" : String(error);
      }
      return "no error";
    },
    ends: "the same error",
  },
  {
    name: "return() between two reads",
    source: "ticking",
    async cancel({ stream }) {
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      const returned = await comesTo(iterator.return!());
      return `${returned}, then ${await comesTo(iterator.next())}`;
    },
    ends: '{"done":true}, then {"done":true}',
  },
  {
    name: "return() while a read is pending",
    source: "idle",
    async cancel(consumer) {
      const { iterator, pending } = await readToSilence(consumer);
      const returned = iterator.return!();
      return `${await comesTo(returned)}, and the read ${await comesTo(pending)}`;
    },
    ends: '{"done":true}, and the read {"done":true}',
  },
  {
    name: "abort between two reads",
    source: "ticking",
    async cancel({ stream, abort }) {
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      abort.abort("stopped");
      return `${await comesTo(iterator.next())}, then ${await comesTo(iterator.next())}`;
    },
    ends: 'throws stopped, then {"done":true}',
  },
  {
    name: "abort while a read is pending",
    source: "idle",
    async cancel(consumer) {
      const { pending } = await readToSilence(consumer);
      consumer.abort.abort("stopped");
      return comesTo(pending);
    },
    ends: "throws stopped",
  },
  {
    name: "onChunk returning false",
    source: "ticking",
    cancel: async ({ client, stream }) =>
      JSON.stringify(await client.consumeStream(stream, { onChunk: () => false })),
    ends: '{"outcome":"stopped"}',
  },
  {
    name: "a throw in onText",
    source: "ticking",
    async cancel({ client, stream }) {
      const onText = () => Promise.reject(boom);
      const failure = await client.consumeStream(stream, { onText }).catch((error: unknown) => error);
      return failure === boom ? "the same error" : String(failure);
    },
    ends: "the same error",
  },
];

/** Counts the listeners added to a signal from now on. */
function countListeners(signal: AbortSignal): () => number {
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = AbortSignal.prototype;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners.add(args[1]);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners.delete(args[1]);
    removeEventListener.apply(signal, args);
  };
  return () => listeners.size;
}

const wayCases: SuiteCase[] = ways.map(({ name, source, cancel, ends }) => ({
  name: `${name} cancels the body, stops the server's source, and leaves no listener`,
  async run(context) {
    const { client, baseUrl } = context;
    const id = newId();
    const abort = new AbortController();
    const listeners = countListeners(abort.signal);
    const tap = tapFetch();
    const stream = client.streamFromRoute({
      endpoint: sourceUrl(baseUrl, id, source),
      signal: abort.signal,
      fetch: tap.fetch,
    });
    assertEqual(await cancel({ client, stream, abort, tap }), ends, "the consumer's result");
    assertEqual(
      { isCancelled: tap.isCancelled, isAborted: tap.signal?.aborted, listeners: listeners() },
      { isCancelled: true, isAborted: true, listeners: 0 },
      "the state after cancelling",
    );
    const isReleased = (state: SourceState) => state.active === 0 && state.released === 1;
    const { produced } = await pollServer(context, ["/sources", id], isReleased, "the source has stopped");
    assert(source === "ticking" || produced === 1, "no further chunk was requested from an idle source");
    assert(!tap.isReadAfterCancel, "a cancelled body is not read");
  },
}));

export const cancellationCases: SuiteCase[] = [
  ...wayCases,
  {
    name: "a connection that the server keeps open after [DONE] is closed by the client",
    async run(context) {
      const id = newId();
      const endpoint = answerUrl(context.baseUrl, id, {
        body: frame(done) + doneMarker,
        ending: "hold",
      });
      assertEqual(
        await context.client.consumeStream(context.client.streamFromRoute({ endpoint })),
        { outcome: "done", chunk: done },
        "the outcome",
      );
      const isClosed = ([request]: SeenRequest[]) => request?.wasAborted === true;
      await pollServer(context, ["/requests", id], isClosed, "the connection is closed");
    },
  },
  {
    name: "a connection whose body ends shortly after [DONE] is reused",
    isAlone: true,
    async run(context) {
      const id = newId();
      const endpoint = answerUrl(context.baseUrl, id, {
        body: [frame(done) + doneMarker, ":late\n\n"],
        everyMs: 1,
      });
      const isAnswered = (requests: SeenRequest[]) => requests.every((request) => request.isAnswered);
      let requests: SeenRequest[] = [];
      for (let count = 0; count < 24; count++) {
        await context.client.consumeStream(context.client.streamFromRoute({ endpoint }));
        requests = await pollServer(context, ["/requests", id], isAnswered, "the body has ended");
      }
      const connections = new Set(requests.map(({ port }) => port)).size;
      // Without reuse, each stream would have its own. A browser pools six, and if the machine stalls for a quarter of
      // a second, the client does not wait for the end.
      assert(connections < 24, `${connections} connections for 24 streams`);
    },
  },
  {
    name: "return() while waiting to reconnect ends the wait at once, and no request follows",
    async run(context) {
      const id = newId();
      let requests = 0;
      let iterator!: AsyncIterator<StreamChunk>;
      let returned: Promise<string> | undefined;
      const stream = context.client.streamFromRoute({
        endpoint() {
          requests++;
          return answerUrl(context.baseUrl, id, {
            body: `retry: 100000\n\n${frameOf("run", 0, delta("a"))}`,
          });
        },
        onConnectionChange: ({ state }) => {
          if (state === "reconnecting") returned = pause(0).then(() => comesTo(iterator.return!()));
        },
      });
      iterator = stream[Symbol.asyncIterator]();
      assertEqual((await iterator.next()).value, delta("a"), "the only chunk");
      assertEqual(await iterator.next(), { done: true }, "the pending read");
      assertEqual(await returned, '{"done":true}', "return()");
      await pause(0);
      assertEqual(requests, 1, "requests");
    },
  },
  {
    name: "a stream that is not read makes no request, even after return()",
    async run(context) {
      const id = newId();
      const endpoint = sourceUrl(context.baseUrl, id, "idle");
      const tap = tapFetch();
      const stream = context.client.streamFromRoute({ endpoint, fetch: tap.fetch });
      const iterator = stream[Symbol.asyncIterator]();
      await pause(0);
      assertEqual(await iterator.return!(), { done: true }, "return()");
      assertEqual(await iterator.next(), { done: true }, "next()");
      assert(tap.signal === undefined, "no request was made");
    },
  },
];
