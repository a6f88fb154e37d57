/** The size that the client adds to a page: the measured imports, the limit of each, and its size. */
import { gzipSync } from "node:zlib";
import { bundleForBrowser } from "./bundle-for-browser.ts";

export interface ClientImports {
  /** As in the README. */
  names: string;
  /** Upper bound with a margin, in kB, gzipped. A change that needs more raises it and gives the reason. */
  budgetKB: number;
  /** Modules that use the names, each in its own page. */
  modules: string[];
}

export const clientImports: ClientImports[] = [
  {
    names: "`readStream`",
    budgetKB: 10.5,
    modules: ['import { readStream } from "@kortyx/client"; globalThis.use = readStream;'],
  },
  {
    names: "`streamChatFromRoute`, `consumeStream`",
    // The glue of the protocol's shared chunks, which its entries for other protocols have added to, and the error of a
    // run that has lost what the client has read.
    budgetKB: 16.1,
    modules: [
      'import { consumeStream, streamChatFromRoute } from "@kortyx/client"; globalThis.use = [consumeStream, streamChatFromRoute];',
    ],
  },
  {
    names: "`createChat`, `useChat`",
    // The same error of a lost run.
    budgetKB: 27.9,
    modules: [
      'import { createChat } from "@kortyx/client"; globalThis.use = createChat;',
      'import { useChat } from "@kortyx/client/react"; globalThis.use = useChat;',
    ],
  },
  {
    names: "`createChatTransport` for the AI SDK",
    budgetKB: 24.9,
    modules: [
      'import { createChatTransport } from "@kortyx/client/ai-sdk"; globalThis.use = createChatTransport;',
    ],
  },
];

/** @returns the size of the largest module with everything that it needs except React, in bytes, gzipped. */
export async function measureSize({ modules }: ClientImports): Promise<number> {
  const sizes = modules.map(async (code) => {
    const { text } = await bundleForBrowser(code, ["react"]);
    return gzipSync(text, { level: 9 }).length;
  });
  return Math.max(...(await Promise.all(sizes)));
}
