/** What the client adds to a page: which imports are measured, how large each may become, and how large it is. */
import { gzipSync } from "node:zlib";
import { bundleForBrowser } from "./bundle-for-browser.ts";

export interface ClientImports {
  /** As in the README. */
  names: string;
  /** Upper bound with room, in kB, gzipped. A change that needs more raises it and says why. */
  budgetKB: number;
  /** Modules that use the names, each alone in a page. */
  modules: string[];
}

export const clientImports: ClientImports[] = [
  {
    names: "`readStream`",
    budgetKB: 9.4,
    modules: ['import { readStream } from "@kortyx/client"; globalThis.use = readStream;'],
  },
  {
    names: "`streamChatFromRoute`, `consumeStream`",
    budgetKB: 14.4,
    modules: [
      'import { consumeStream, streamChatFromRoute } from "@kortyx/client"; globalThis.use = [consumeStream, streamChatFromRoute];',
    ],
  },
  {
    names: "`createChat`, `useChat`",
    budgetKB: 20.4,
    modules: [
      'import { createChat } from "@kortyx/client"; globalThis.use = createChat;',
      'import { useChat } from "@kortyx/client/react"; globalThis.use = useChat;',
    ],
  },
];

/** @returns the size of the largest of the modules with everything that it needs except React, in bytes, gzipped. */
export async function measureSize({ modules }: ClientImports): Promise<number> {
  const sizes = modules.map(async (code) => {
    const { text } = await bundleForBrowser(code, ["react"]);
    return gzipSync(text, { level: 9 }).length;
  });
  return Math.max(...(await Promise.all(sizes)));
}
