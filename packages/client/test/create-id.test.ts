import { afterEach, expect, test, vi } from "vitest";
import { createId } from "../src/create-id.ts";

afterEach(() => void vi.unstubAllGlobals());

test("an id is four numbers of 32 random bits, and no two are the same", () => {
  const ids = Array.from({ length: 10_000 }, createId);
  for (const id of ids) {
    expect(id).toMatch(/^\d+(-\d+){3}$/);
    for (const number of id.split("-")) expect(Number(number)).toBeLessThan(2 ** 32);
  }
  expect(new Set(ids.flatMap((id) => id.split("-"))).size).toBeGreaterThan(39_990);
});

test("a page without https, where crypto has no randomUUID, gets ids all the same", () => {
  const { crypto } = globalThis;
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect(createId()).toMatch(/^\d+(-\d+){3}$/);
});
