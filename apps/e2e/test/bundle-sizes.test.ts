import { expect, test } from "vitest";
import { clientImports, measureSize } from "./client-sizes.ts";

test.each(clientImports)("what $names add to a page is within $budgetKB kB, gzipped", async (imports) => {
  expect(await measureSize(imports)).toBeLessThanOrEqual(imports.budgetKB * 1000);
});
