import { expect, test } from "vitest";
import { z } from "zod";
import { toChunkTable } from "../generate-chunk-table.ts";
import { chunkTable } from "../src/chunk-table.ts";

test("the checker's table matches the schemas", () => {
  expect(chunkTable, "run node packages/protocol/generate-chunk-table.ts").toEqual(toChunkTable());
});

test("a schema rule that the checker cannot express is refused, not dropped", () => {
  for (const field of [z.string().min(1), z.array(z.string()).min(1), z.int().min(1), z.enum(["a", "b"])]) {
    const schema = z.toJSONSchema(z.looseObject({ type: z.literal("x"), inner: z.looseObject({ field }) }));
    expect(() => toChunkTable([schema])).toThrow("No type of chunk-shape.ts");
  }
});
