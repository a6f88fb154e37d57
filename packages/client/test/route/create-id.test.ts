import { afterEach, expect, test, vi } from "vitest";
import { createId } from "../../src/route/create-id.ts";

afterEach(() => void vi.unstubAllGlobals());

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("an id is a version 4 UUID, which a `uuid` column accepts, and no two are equal", () => {
  const ids = Array.from({ length: 10_000 }, createId);
  for (const id of ids) expect(id).toMatch(uuidV4);
  expect(new Set(ids).size).toBe(10_000);
});

test("all bits of an id except those for version and variant are random", () => {
  const seen = Array.from({ length: 32 }, () => new Set<string>());
  for (let i = 0; i < 2000; i++) {
    for (const [at, digit] of [...createId().replaceAll("-", "")].entries()) seen[at]!.add(digit);
  }
  expect(seen.map(({ size }) => size)).toEqual([
    ...Array(12).fill(16),
    1,
    16,
    16,
    16,
    4,
    ...Array(15).fill(16),
  ]);
});

test("an id needs no crypto.randomUUID, which pages without https lack", () => {
  const { crypto } = globalThis;
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect(createId()).toMatch(uuidV4);
});
