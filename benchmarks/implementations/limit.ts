/** The limits: the bare cost of JSON, UTF-8 and Node's own `res.write`. */
import type { Implementation } from "./implementation.ts";

const encoder = new TextEncoder();
const maxPieceLength = 16 * 1024;

export const implementation: Implementation = {
  title: "limit",
  packages: [],
  form:
    "encoding: the source iterated, `JSON.stringify`, one `TextEncoder.encode` per 16 KiB; decoding: `reader.read()`, " +
    '`TextDecoder`, `indexOf("\\n\\n")`, `JSON.parse`, unvalidated; HTTP: one `res.write` per ready-made frame',

  async encodeBytes(source) {
    let text = "";
    let bytes = 0;
    for await (const chunk of source) {
      text += `data: ${JSON.stringify(chunk)}\n\n`;
      if (text.length < maxPieceLength) continue;
      bytes += encoder.encode(text).length;
      text = "";
    }
    return bytes + encoder.encode(text).length;
  },

  async decode(body, onChunk) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      let at = 0;
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", at)) {
        const data = text.slice(at + 6, end);
        if (data !== "[DONE]") onChunk(JSON.parse(data));
        at = end + 2;
      }
      text = text.slice(at);
    }
  },

  /** The source yields frames, not chunks. */
  async serve(source, _req, res) {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    for await (const frame of source) {
      if (!res.write(frame)) await new Promise((resolve) => res.once("drain", resolve));
    }
    res.end();
  },
};
