/**
 * A consumer that is slower than the server slows it down, and nothing accumulates in between.
 */
import { type SourceState, sourceUrl } from "./source-state.ts";
import {
  assert,
  assertEqual,
  newId,
  pause,
  queryServer,
  type SuiteCase,
  type SuiteContext,
} from "./suite-case.ts";
import { tapFetch } from "./tapped-fetch.ts";

/**
 * The allowed difference between two measurements of the buffers, in chunks of 4 KiB: 48 MiB. The source would send 256
 * MiB.
 */
const slack = 12 * 1024;

/** The most that the client may hold without delivering it: one piece, which can have 2 MiB in Chromium. */
const maxHeldBytes = 4 * 1024 * 1024;

const producedBy = async (context: SuiteContext, id: string): Promise<number> =>
  (await queryServer<SourceState>(context, "/sources", id)).produced;

/** Polls until the source has paused for half a second. */
async function untilAtRest(context: SuiteContext, id: string): Promise<number> {
  let before = -1;
  for (let looks = 0; looks < 40; looks++) {
    const produced = await producedBy(context, id);
    if (produced === before) return produced;
    before = produced;
    await pause(500);
  }
  throw new Error(`The source does not pause: ${before} chunks.`);
}

/**
 * The number of chunks that a source yields before it pauses when only one piece of its body is read: the size of the
 * buffers in the sockets and the platform. Chromium alone buffers 64 MiB.
 */
async function measureBuffers(context: SuiteContext): Promise<number> {
  const id = newId();
  const { body } = await fetch(sourceUrl(context.baseUrl, id, "fast"));
  const reader = body!.getReader();
  await reader.read();
  const produced = await untilAtRest(context, id);
  await reader.cancel();
  return produced;
}

export const slowConsumerCases: SuiteCase[] = [
  {
    name: "a consumer that takes 50 ms per chunk holds the source back, and a faster one releases it",
    async run(context) {
      const buffers = await measureBuffers(context);
      const { client, baseUrl } = context;
      const id = newId();
      const tap = tapFetch();
      let consumed = 0;
      let consumedBytes = 0;
      let maxHeld = 0;
      let atRest = 0;
      let isSlow = true;
      const endpoint = sourceUrl(baseUrl, id, "fast");
      const { outcome } = await client.consumeStream(client.streamFromRoute({ endpoint, fetch: tap.fetch }), {
        async onChunk(chunk) {
          consumed++;
          consumedBytes += `data: ${JSON.stringify(chunk)}\n\n`.length;
          maxHeld = Math.max(maxHeld, tap.bytesRead - consumedBytes);
          if (isSlow) await pause(50);
          if (consumed === 30) {
            atRest = await untilAtRest(context, id);
            isSlow = false;
          }
          return isSlow || consumed <= atRest;
        },
      });
      assertEqual(outcome, "stopped", "the outcome");
      assert(atRest <= buffers + slack, `${atRest} chunks were produced, ${buffers} fit into the buffers`);
      assert(consumed > atRest, `the source continues: ${consumed} chunks arrived, after ${atRest}`);
      assert(maxHeld <= maxHeldBytes, `the client held ${maxHeld} bytes`);
    },
  },
  {
    name: "a consumer that stops reading holds the source back",
    async run(context) {
      const buffers = await measureBuffers(context);
      const { client, baseUrl } = context;
      const id = newId();
      const tap = tapFetch();
      const endpoint = sourceUrl(baseUrl, id, "fast");
      const stream = client.streamFromRoute({ endpoint, fetch: tap.fetch });
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      const atRest = await untilAtRest(context, id);
      assert(atRest <= buffers + slack, `${atRest} chunks were produced, ${buffers} fit into the buffers`);
      assert(tap.bytesRead <= maxHeldBytes, `the client held ${tap.bytesRead} bytes`);
      await iterator.return!();
    },
  },
];
