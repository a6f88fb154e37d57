import { afterEach, expect, test, vi } from "vitest";
import { createId } from "../src/create-id.ts";

afterEach(() => void vi.unstubAllGlobals());

test("an id is 32 lower case hexadecimal digits, and no two are the same", () => {
  const ids = Array.from({ length: 10_000 }, createId);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(ids).size).toBe(10_000);
});

test("an id is 16 random bytes in their order, zeros included", () => {
  vi.stubGlobal("crypto", {
    getRandomValues: (bytes: Uint8Array) => bytes.map((_, index) => index * 17).fill(7, 1, 2),
  });
  expect(createId()).toBe("00072233445566778899aabbccddeeff");
});

test("a page without https, where crypto has no randomUUID, gets ids all the same", () => {
  const { crypto } = globalThis;
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect(createId()).toMatch(/^[0-9a-f]{32}$/);
});
