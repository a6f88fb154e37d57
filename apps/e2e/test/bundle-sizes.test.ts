import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";

const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");

const uses: [row: string, code: string][] = [
  ["`readStream`", 'import { readStream } from "@kortyx/client"; globalThis.use = readStream;'],
  [
    "`streamChatFromRoute`, `consumeStream`",
    'import { consumeStream, streamChatFromRoute } from "@kortyx/client"; globalThis.use = [consumeStream, streamChatFromRoute];',
  ],
  ["`createChat`", 'import { createChat } from "@kortyx/client"; globalThis.use = createChat;'],
  ["`useChat`", 'import { useChat } from "@kortyx/client/react"; globalThis.use = useChat;'],
];

describe("what the client adds to a page, gzipped, is what its README prints", () => {
  test.each(uses)("%s", async (row, code) => {
    const { bytes } = await bundleForBrowser(code, ["react"]);
    const kilobytes = (gzipSync(bytes, { level: 9 }).length / 1000).toFixed(1);
    expect(readme).toContain(`| ${row} | ${kilobytes} |`);
  });
});
