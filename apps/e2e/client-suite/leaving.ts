/**
 * Every way to leave a stream that never ends: the body is cancelled at once, the server's source stops, and nothing
 * stays behind.
 */
import type { StreamChunk } from "@kortyx/client";
import type { SeenRequest } from "./answer.ts";
import { answerUrl } from "./answer.ts";
import { delta, done, doneMarker, frame, frameOf } from "./frames.ts";
import { type SourceState, sourceUrl } from "./source-state.ts";
import {
  askUntil,
  assert,
  assertEqual,
  newId,
  pause,
  type SuiteCase,
  type SuiteContext,
} from "./suite-case.ts";
import { type TappedFetch, tapFetch } from "./tapped-fetch.ts";

/** What a consumer has in its hands when it leaves. */
interface Consumer {
  client: SuiteContext["client"];
  stream: AsyncIterable<StreamChunk>;
  abort: AbortController;
  tap: TappedFetch;
}

interface Way {
  name: string;
  /** What the server's source does meanwhile. */
  source: "idle" | "ticking";
  /** Reads something and leaves. @returns how that ended for the consumer */
  leave(consumer: Consumer): Promise<string>;
  ends: string;
}

const boom = new Error("boom");

/** Reads until a read is pending in which nothing will come. */
async function readToSilence({ stream, tap }: Consumer) {
  const iterator = stream[Symbol.asyncIterator]();
  assertEqual(await iterator.next(), { done: false, value: delta("a") }, "the only chunk");
  const pending = iterator.next();
  // Handled here too, so that a rejection before the caller looks is not an unhandled one.
  pending.catch(() => {});
  while (!tap.isReading) await pause(0);
  return { iterator, pending };
}

/** What a promise came to, unless that takes longer than what is queued already. */
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
    async leave({ stream }) {
      for await (const _ of stream) break;
      return "left";
    },
    ends: "left",
  },
  {
    name: "a throw in the loop",
    source: "ticking",
    async leave({ stream }) {
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
    async leave({ stream }) {
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
    async leave(consumer) {
      const { iterator, pending } = await readToSilence(consumer);
      const returned = iterator.return!();
      return `${await comesTo(returned)}, and the read ${await comesTo(pending)}`;
    },
    ends: '{"done":true}, and the read {"done":true}',
  },
  {
    name: "abort between two reads",
    source: "ticking",
    async leave({ stream, abort }) {
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
    async leave(consumer) {
      const { pending } = await readToSilence(consumer);
      consumer.abort.abort("stopped");
      return comesTo(pending);
    },
    ends: "throws stopped",
  },
  {
    name: "onChunk returning false",
    source: "ticking",
    leave: async ({ client, stream }) =>
      JSON.stringify(await client.consumeStream(stream, { onChunk: () => false })),
    ends: '{"outcome":"stopped"}',
  },
  {
    name: "a throw in onText",
    source: "ticking",
    async leave({ client, stream }) {
      const onText = () => Promise.reject(boom);
      const failure = await client.consumeStream(stream, { onText }).catch((error: unknown) => error);
      return failure === boom ? "the same error" : String(failure);
    },
    ends: "the same error",
  },
];

/** The listeners that a signal has, counted from now on. */
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

const wayCases: SuiteCase[] = ways.map(({ name, source, leave, ends }) => ({
  name: `${name} cancels the body, stops the server's source, and leaves no listener behind`,
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
    assertEqual(await leave({ client, stream, abort, tap }), ends, "what the consumer sees");
    assertEqual(
      { isCancelled: tap.isCancelled, isAborted: tap.signal?.aborted, listeners: listeners() },
      { isCancelled: true, isAborted: true, listeners: 0 },
      "what is left behind",
    );
    const isReleased = (state: SourceState) => state.active === 0 && state.released === 1;
    const { produced } = await askUntil(context, ["/sources", id], isReleased, "the source has stopped");
    assert(source === "ticking" || produced === 1, "an idle source was not asked for more");
    assert(!tap.isReadAfterCancel, "a body that was cancelled is not read");
  },
}));

export const leavingCases: SuiteCase[] = [
  ...wayCases,
  {
    name: "a connection that the server keeps open behind [DONE] is closed by the client",
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
      const isClosed = ([request]: SeenRequest[]) => request?.wasLeft === true;
      await askUntil(context, ["/requests", id], isClosed, "the connection is closed");
    },
  },
  {
    name: "a connection whose body the server ends a moment behind [DONE] is used again",
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
        requests = await askUntil(context, ["/requests", id], isAnswered, "the body has ended");
      }
      const connections = new Set(requests.map(({ port }) => port)).size;
      // Without reuse it would be one for each stream. A browser keeps six to choose from, and on a machine that stands
      // still for a quarter of a second, the client does not wait for the end.
      assert(connections < 24, `${connections} connections for 24 streams`);
    },
  },
  {
    name: "return() in the back-off ends it at once, and asks for nothing more",
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
    name: "a stream that nobody reads makes no request, and return() before the first chunk makes none either",
    async run(context) {
      const id = newId();
      const endpoint = sourceUrl(context.baseUrl, id, "idle");
      const tap = tapFetch();
      const stream = context.client.streamFromRoute({ endpoint, fetch: tap.fetch });
      const iterator = stream[Symbol.asyncIterator]();
      await pause(0);
      assertEqual(await iterator.return!(), { done: true }, "return()");
      assertEqual(await iterator.next(), { done: true }, "next()");
      assert(tap.signal === undefined, "nothing was asked");
    },
  },
];
