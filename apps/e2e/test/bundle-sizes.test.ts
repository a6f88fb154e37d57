import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";

const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");

/** Upper bounds with room. A change that needs more raises the number, here and in the README, and says why. */
const budgets: [row: string, kilobytes: number, imports: string[]][] = [
  ["`readStream`", 8.5, ['import { readStream } from "@kortyx/client"; globalThis.use = readStream;']],
  [
    "`streamChatFromRoute`, `consumeStream`",
    13.5,
    [
      'import { consumeStream, streamChatFromRoute } from "@kortyx/client"; globalThis.use = [consumeStream, streamChatFromRoute];',
    ],
  ],
  [
    "`createChat`, `useChat`",
    19.5,
    [
      'import { createChat } from "@kortyx/client"; globalThis.use = createChat;',
      'import { useChat } from "@kortyx/client/react"; globalThis.use = useChat;',
    ],
  ],
];

describe("what the client adds to a page, gzipped, is within the budget that its README states", () => {
  test.each(budgets)("%s: at most %s kB", async (row, kilobytes, imports) => {
    for (const code of imports) {
      const { text } = await bundleForBrowser(code, ["react"]);
      expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(kilobytes * 1000);
    }
    expect(readme).toContain(`| ${row} | ${kilobytes} kB |`);
  });
});
