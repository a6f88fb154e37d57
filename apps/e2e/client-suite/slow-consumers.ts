/**
 * A consumer that is slower than the server: the server feels it, and nothing piles up on the way.
 */
import { type SourceState, sourceUrl } from "./source-state.ts";
import { ask, assert, assertEqual, newId, pause, type SuiteCase, type SuiteContext } from "./suite-case.ts";
import { tapFetch } from "./tapped-fetch.ts";

/** What two measurements of the same buffers may differ by: 48 MiB, at 4 KiB a chunk. The source would give 256 MiB. */
const slack = 12 * 1024;

/** The most that the client may hold and not have handed out: one piece, which in Chromium may have 2 MiB. */
const maxHeldBytes = 4 * 1024 * 1024;

const producedBy = async (context: SuiteContext, id: string): Promise<number> =>
  (await ask<SourceState>(context, "/sources", id)).produced;

/** Asks until the source has rested for half a second. */
async function untilAtRest(context: SuiteContext, id: string): Promise<number> {
  let before = -1;
  for (let looks = 0; looks < 40; looks++) {
    const produced = await producedBy(context, id);
    if (produced === before) return produced;
    before = produced;
    await pause(500);
  }
  throw new Error(`The source does not rest: ${before} chunks.`);
}

/**
 * How many chunks a source gives before it rests when somebody reads one piece of its body, and no more: the buffers
 * of the sockets and of the platform. Chromium alone takes 64 MiB.
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
    name: "a consumer of 50 ms a chunk holds the source back, and one that is faster from then on lets it go on",
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
      assert(consumed > atRest, `the source goes on: ${consumed} chunks came, behind ${atRest}`);
      assert(maxHeld <= maxHeldBytes, `the client held ${maxHeld} bytes`);
    },
  },
  {
    name: "a consumer that asks for nothing more holds the source back",
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
