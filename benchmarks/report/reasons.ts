/**
 * What is written by hand beside the targets, by their ids in `targets.ts`. `pnpm bench --report` puts it into the report
 * of the last run.
 */

/** Why a target is missed: what was tried, and where a CPU profile says that the time goes. */
export const reasons: Record<string, string> = {
  "mixed-limit":
    "Half of the profile is `JSON.stringify` and a third UTF-8, as in the limit; what is left is memory for pieces of a burst each, where the limit makes pieces of 16 KiB. Tried: one scratch buffer for UTF-8, which took a fifth off it.",
  "read-frame":
    "One promise for the read and one for the consumer, where the limit has one; reading the clock for the watchdog is another 6 %. Tried: parsing on demand, past JSON, without a stream in `TextDecoder`, which together halved it.",
  "paced-send":
    "A third of the profile is `writev`, as in the limit; the pump's own functions are 6 %, and the rest is spread over what 500 more objects with state cost a cache: the same pump at full speed takes half of the limit. Tried: no closures per stream, one packet for headers and first chunk, no web headers.",
  "paced-hono":
    "`writev` is the largest part of the profile, web streams and Hono's server next; the pump's own functions are about 3 %. Tried: no closures per stream. Hono's own `streamSSE` takes more.",
  "first-send":
    "Varies by three from round to round. The server's CPU until the first chunk is about 80 µs a request, and 52 of the limit: the pump, its timer, its listeners and a check that the client is still there. Tried: headers and first chunk in one packet, no closures, no web headers.",
  "first-hono":
    "Hono's server alone, with a body that is ready, takes 1.4 to 3.9 times the limit in the same test, and no other package on it comes closer than we do. Tried: a third of the work of `toSSE` before its first chunk is left.",
};

/** How far a target that is met, but not its stretch, can still go. */
export const room: Record<string, string> = {
  "sync-limit":
    "A clock reading per chunk (a tenth), which bounds how long a slow source holds a piece back; the rest is the generator's own promises.",
  "burst-limit": "As above, and a web stream's bookkeeping for each piece.",
  "mixed-limit": "Half is `JSON.stringify`, a third is UTF-8; pieces of a burst each cost memory.",
  "read-frame": "A promise for the read, one for the consumer, and a clock reading for the watchdog (6 %).",
  "read-7": "Nearly all of it is Node's `read()` and `TextDecoder`, once per piece, as in the limit.",
  "http-send": "`writev` is most of it: only fewer, larger pieces would cost less, and would come later.",
  "http-hono": "Web streams between the pump and Hono's server; `sendStream` is the way around them.",
  heap: "Node's own request, response and socket take 5 KB of it.",
  "heap-hono": "Node's and Hono's own objects and a web stream take 9 KB of it.",
};
