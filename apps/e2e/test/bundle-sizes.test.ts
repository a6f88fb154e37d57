import { expect, test } from "vitest";
import { clientImports, measureSize } from "./client-sizes.ts";

test.each(clientImports)("$names add at most $budgetKB kB to a page, gzipped", async (imports) => {
  expect(await measureSize(imports)).toBeLessThanOrEqual(imports.budgetKB * 1000);
});
