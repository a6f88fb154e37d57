/** Random chunks that belong together: their ids, tools and paths are from small sets, so that most meet others. */
import fc from "fast-check";
import type { StreamChunk } from "../src/chunks.ts";
import { anyChunk } from "./chunk-arbitraries.ts";

export { default as fc } from "fast-check";

const anyId = fc.constantFrom("a", "b", "", "toString");
const anyPath = fc.constantFrom("x", "y", "x.0", "x.z", "l", "a/b~c");

/** A chunk of any type, of which each id field has one of four ids. */
export const relatedChunk: fc.Arbitrary<StreamChunk> = fc
  .record({
    chunk: anyChunk,
    id: anyId,
    tool: anyId,
    path: anyPath,
    dataType: fc.constantFrom("state", "card"),
    isKeyed: fc.boolean(),
    isSubagent: fc.boolean(),
  })
  .map(({ chunk, id, tool, path, dataType, isKeyed, isSubagent }) => {
    const related: Record<string, unknown> = { ...chunk };
    const values = {
      toolCallId: id,
      stepId: id,
      streamId: id,
      requestId: id,
      parentSegmentId: id,
      node: id,
      tool,
      path,
      dataType,
    };
    for (const [name, value] of Object.entries(values)) if (name in related) related[name] = value;
    if (/^(text|reasoning)-/.test(chunk.type)) {
      Object.assign(related, { opId: undefined, id: undefined, segmentId: isKeyed ? id : undefined });
    }
    if (chunk.type === "data" && isSubagent) {
      const state = isKeyed ? "running" : "done";
      Object.assign(related, { name: "subagent", id, data: { state, name: "helper" } });
    }
    return JSON.parse(JSON.stringify(related));
  });
