/** The size that each adapter and each wire adds to the bundle of a server that has a route, for platforms that limit it. */
import { gzipSync } from "node:zlib";
import { bundleForBrowser } from "./bundle-for-browser.ts";

export interface ServerImports {
  /** As in the README. */
  names: string;
  /** Of the package. */
  entry: string;
  /** Upper bound with a margin, in kB, gzipped. A change that needs more raises it and gives the reason. */
  budgetKB: number;
}

export const serverImports: ServerImports[] = [
  { names: "`runTools`, `defineTool`", entry: "", budgetKB: 4.5 },
  { names: "`fromOpenAIChat`, `toOpenAIChatMessages`, `toOpenAIChatTools`", entry: "/openai", budgetKB: 5.2 },
  {
    names: "`fromOpenAIResponses`, `toOpenAIResponsesInput`, `toOpenAIResponsesTools`",
    entry: "/openai",
    budgetKB: 8.6,
  },
  { names: "`fromAnthropic`, `toAnthropicPrompt`, `toAnthropicTools`", entry: "/anthropic", budgetKB: 6.2 },
  { names: "`fromAISDK`, `toModelMessages`", entry: "/ai-sdk", budgetKB: 4.4 },
  { names: "`fromLangGraph`, `toLangChainMessages`", entry: "/langgraph", budgetKB: 9.5 },
  { names: "`fromAGUI`, `toRunAgentInput`", entry: "/ag-ui", budgetKB: 7.2 },
  { names: "`aiSDKWire`", entry: "/ai-sdk", budgetKB: 6.9 },
  { names: "`agUIWire`", entry: "/ag-ui", budgetKB: 8.7 },
];

/** @returns the size of a route and its use of the names, less that of the route, in bytes, gzipped. */
export async function measureAddedSize({ names, entry }: ServerImports): Promise<number> {
  const list = names.replaceAll("`", "");
  const added = `import { ${list} } from "@kortyx/server${entry}"; globalThis.use = [${list}];`;
  return (await sizeOf(route + added)) - (await sizeOf(route));
}

const route = 'import { createChatRoute } from "@kortyx/server"; globalThis.route = createChatRoute;';

async function sizeOf(code: string): Promise<number> {
  const { text } = await bundleForBrowser(code, ["zod"]);
  return gzipSync(text, { level: 9 }).length;
}
