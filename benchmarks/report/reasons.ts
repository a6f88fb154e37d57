/**
 * Handwritten remarks on the targets, by their ids in `targets.ts`. `pnpm bench --report` puts them into the report of
 * the last run.
 */

/** Why a target is missed: the attempts so far, and the functions that take the time in a CPU profile. */
export const reasons: Record<string, string> = {
  "sync-limit":
    "The printer takes less time than `JSON.stringify`; the rest is the pump's work per chunk and joining texts, which is then copied once for UTF-8. Tried: no object per chunk, a clock reading for one chunk in four, one concatenation less.",
  "burst-limit": "A web stream's bookkeeping for each piece of 16 chunks, and memory for it.",
  "alone-peer":
    "Within the noise of two rounds: 0.79 in one, 0.90 in the other. A web stream's bookkeeping for each piece, of which there is one per chunk here; the clock is read for each, too.",
  "send-shape":
    "A chunk with an object among its fields: `JSON.stringify` for that object alone costs as much as for the whole chunk.",
  "send-agent": "One piece per burst of 16, where the limit makes pieces of 16 KiB.",
  "read-limit":
    "A promise for each chunk, where the limit calls back. Tried: no async function for a chunk that was already read.",
  "read-shape":
    "A chunk with an object or a number among its fields: `JSON.parse`, the check, and a promise for each chunk.",
  "read-mixture":
    "The chunk with an object in each round makes the rest of the piece go through `JSON.parse`, together, where chunks of strings alone need none.",
  "read-parser":
    "A promise for each chunk, where eventsource-parser calls back. With an object or a number among the fields, where both pay for `JSON.parse`, the decoder alone reaches 0.88 to 0.97 of it and `readStream` 0.8; with strings alone, both are ahead.",
  "read-parser-agent":
    "A promise for each chunk, where eventsource-parser calls back; what is saved on chunks of strings is spent there.",
  "read-7":
    "Nearly all of it is Node's `read()` and `TextDecoder`, once per piece, as in the limit; within its noise.",
  "redis-append": "Within the noise of a slow machine: 63 µs in one round, 93 in the other.",
  "cold-import":
    "A millisecond for each of the twelve files, and what they execute. Tried: the schemas of chunks in an entry of their own, those of a request built with the first one, which together took off a tenth.",
  "mixed-limit":
    "Half of the profile is `JSON.stringify` and a third UTF-8, as in the limit; the rest is memory for one piece per burst, while the limit makes pieces of 16 KiB. Tried: one scratch buffer for UTF-8, which saved a fifth.",
  "read-frame":
    "One promise for the read and one for the consumer, while the limit has only one; reading the clock for the watchdog takes another 6 %. Tried: parsing on demand, bypassing JSON, and `TextDecoder` without streaming, which together halved the cost.",
  "paced-send":
    "A third of the profile is `writev`, as in the limit; the pump's own functions take 6 %, and the rest is spread over the cache misses of 500 more objects with state: the same pump at full speed takes half the time of the limit. Tried: no closures per stream, one packet for headers and first chunk, no web headers.",
  "paced-hono":
    "`writev` is the largest part of the profile, followed by web streams and Hono's server; the pump's own functions take about 3 %. Tried: no closures per stream. Hono's own `streamSSE` takes more.",
  "adapt-ag-ui":
    "An Observable calls its subscriber without a promise; as an async iterable each event has one, and passes two more generators: 1.2 µs per event in all. The mapping itself takes 3 % of the profile.",
  "first-send":
    "Varies by a factor of three between rounds. The server's CPU until the first chunk is about 80 µs per request, and 52 µs for the limit: the pump, its timer, its listeners and a check that the client is still connected. Tried: headers and first chunk in one packet, no closures, no web headers.",
  "first-hono":
    "Hono's server alone, with an existing body, takes 1.4 to 3.9 times the limit in the same test, and no other package on it comes closer than we do. Tried: reducing the work of `toSSE` before its first chunk to a third.",
};

/** The room for improvement of a target that is met, but not its stretch. */
export const room: Record<string, string> = {
  "sync-limit": "The pump's work per chunk; the rest is the generator's own promises.",
  "burst-limit": "As above, and a web stream's bookkeeping for each piece.",
  "mixed-limit": "Half is `JSON.stringify`, a third is UTF-8; one piece per burst costs memory.",
  "read-frame": "A promise for the read, one for the consumer, and a clock reading for the watchdog (6 %).",
  "read-7": "Nearly all of it is Node's `read()` and `TextDecoder`, once per piece, as in the limit.",
  "http-send":
    "The source's own promises, and printing. `writev` was a third of it, until bursts that follow each other in less than a millisecond shared one; pieces rarer than that would arrive noticeably later.",
  "http-hono": "Web streams between the pump and Hono's server; `sendStream` avoids them.",
  heap: "Node's own request, response and socket take 5 KB of this.",
  "heap-hono": "Node's and Hono's own objects and a web stream take 9 KB of this.",
};
