import { expect, test } from "vitest";
import { clientImports, measureSize } from "./client-sizes.ts";
import { measureAddedSize, serverImports } from "./server-sizes.ts";

test.each(clientImports)("$names add at most $budgetKB kB to a page, gzipped", async (imports) => {
  expect(await measureSize(imports)).toBeLessThanOrEqual(imports.budgetKB * 1000);
});

test.each(serverImports)("$names add at most $budgetKB kB to a route, gzipped", async (imports) => {
  expect(await measureAddedSize(imports)).toBeLessThanOrEqual(imports.budgetKB * 1000);
});
