import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";

const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");

const uses: [row: string, budgetBytes: number, code: string][] = [
  ["`readStream`", 5_000, 'import { readStream } from "@kortyx/client"; globalThis.use = readStream;'],
  [
    "`streamChatFromRoute`, `consumeStream`",
    6_000,
    'import { consumeStream, streamChatFromRoute } from "@kortyx/client"; globalThis.use = [consumeStream, streamChatFromRoute];',
  ],
  ["`createChat`", 9_000, 'import { createChat } from "@kortyx/client"; globalThis.use = createChat;'],
  ["`useChat`", 10_000, 'import { useChat } from "@kortyx/client/react"; globalThis.use = useChat;'],
];

describe("what the client adds to a page, gzipped, is within its budget, and is what its README prints", () => {
  test.each(uses)("%s: at most %i bytes", async (row, budgetBytes, code) => {
    const { text } = await bundleForBrowser(code, ["react"]);
    const bytes = gzipSync(text, { level: 9 }).length;
    expect(bytes).toBeLessThanOrEqual(budgetBytes);
    expect(readme).toContain(`| ${row} | ${(bytes / 1000).toFixed(1)} |`);
  });
});
