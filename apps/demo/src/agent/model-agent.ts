/**
 * An agent that lets a model answer, with any API like OpenAI's, with the search as a tool that the model may call. Owns
 * the endpoint, and the words for its failures.
 */
import {
  type ChatAgent,
  defineTool,
  describeProviderError,
  runTools,
  type StreamChunk,
  type ToolTurn,
} from "@kortyx/server";
import {
  fromOpenAIChat,
  type ModelStream,
  toOpenAIChatMessages,
  toOpenAIChatTools,
} from "@kortyx/server/openai";
import OpenAI, { APIConnectionError, APIError } from "openai";
import { z } from "zod";
import { pageUrl, type Search, type Section, searchTool, toSource } from "./search.ts";

export interface ModelEndpoint {
  /** `/chat/completions` is appended to it: `https://api.openai.com/v1`. */
  baseUrl: string;
  apiKey: string;
  model: string;
}

export interface ModelAgentOptions {
  endpoint: ModelEndpoint;
  search: Search;
}

const variables = ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"] as const;

/** @throws Error if only some of the three variables are set, or the address is not a URL. */
export function readModelEndpoint(env: Record<string, string | undefined>): ModelEndpoint | undefined {
  const missing = variables.filter((name) => !env[name]?.trim());
  if (missing.length === variables.length) return undefined;
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(" and ")} missing: set all of ${variables.join(", ")} to use a model, or none. ` +
        "For a model that needs no key, set any.",
    );
  }
  const [baseUrl = "", apiKey = "", model = ""] = variables.map((name) => env[name]!.trim());
  if (!/^https?:\/\/[^@?#]+$/.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw new Error("OPENAI_BASE_URL is not an address such as https://api.openai.com/v1.");
  }
  return { baseUrl: baseUrl.replace(/\/+$/, ""), apiKey, model };
}

const instructions = `You answer questions about the documentation of these packages, in Markdown, briefly.
Call ${searchTool} before you answer, and answer only from what it finds; say so when it finds nothing.
Link to the pages that you use, with the url that comes with them.`;

/** In the last turn, the model has to answer with what it knows. */
const maxTurns = 5;
const maxSources = 5;

export function createModelAgent({ endpoint, search }: ModelAgentOptions): ChatAgent {
  const { baseUrl: baseURL, apiKey, model } = endpoint;
  const openai = new OpenAI({
    baseURL,
    apiKey,
    // The key is for this address, not for the one that it may lead to.
    fetchOptions: { redirect: "error" },
    // A visitor reads at once what has failed, and may try again.
    maxRetries: 0,
    // It would write what the endpoint has sent, and some repeat the key that they refuse.
    logLevel: "off",
  });

  async function* askModel({ messages, tools, signal, isLast }: ToolTurn): ModelStream {
    yield { type: "status", message: `Waiting for ${model}` };
    const completion = openai.chat.completions.create(
      {
        model,
        messages: [{ role: "system", content: instructions }, ...toOpenAIChatMessages(messages)],
        tools: toOpenAIChatTools(tools),
        tool_choice: isLast ? "none" : "auto",
        stream: true,
        stream_options: { include_usage: true },
      },
      { signal },
    );
    return yield* fromOpenAIChat(completion, { signal });
  }

  /** The search, which adds the sections that it finds to a set. */
  const createSearchTool = (found: Set<Section>) =>
    defineTool({
      description: "Full-text search over the documentation. Returns the best sections.",
      inputSchema: z.object({ query: z.string().describe("A few words to look for.") }),
      run: ({ query }) => {
        const sections = search({ query }).hits.map(({ section }) => section);
        for (const section of sections) found.add(section);
        if (sections.length === 0) return "Nothing found.";
        return sections.map(({ page, heading, text }) => ({ url: pageUrl(page), heading, text }));
      },
    });

  return {
    async *streamChat(messages, options): AsyncGenerator<StreamChunk> {
      const found = new Set<Section>();
      const tools = { [searchTool]: createSearchTool(found) };
      try {
        for await (const chunk of runTools({ messages, options, tools, turn: askModel, maxTurns })) {
          if (chunk.type === "done") yield* [...found].slice(0, maxSources).map(toSource);
          yield chunk;
        }
      } catch (error) {
        options.signal?.throwIfAborted();
        const description = describeFailure(error);
        if (description === undefined) throw error;
        const correlationId = crypto.randomUUID();
        const details = listCauses(error).join("\n").replaceAll(apiKey, "…").slice(0, 500);
        console.error(`${description.message} [${correlationId}]\n${details}`);
        yield { type: "error", code: "model-failed", ...description, correlationId };
      }
    },
  };
}

/** What the visitor reads, who may also have set the variables; undefined if it is not the model that has failed. */
function describeFailure(error: unknown) {
  if (error instanceof APIConnectionError || error instanceof SyntaxError) {
    const message =
      "The model's endpoint cannot be reached, or does not answer as a model. Check OPENAI_BASE_URL.";
    return { message, code: "model-unreachable", retryable: true };
  }
  const known = describeProviderError(error);
  if (known !== undefined || !(error instanceof APIError)) return known;
  const { status } = error;
  if (status === undefined) return { message: "The model failed while it answered." };
  return { message: refusals[status] ?? `The model's endpoint refused the request with status ${status}.` };
}

/** By status: what only the owner of the key can repair. */
const refusals: Record<number, string> = {
  400: "The model's endpoint refused the request. Perhaps the model cannot read a file that is attached.",
  401: "The model's endpoint refuses OPENAI_API_KEY.",
  403: "The model's endpoint refuses OPENAI_API_KEY.",
  404: "The endpoint does not know the model. Check OPENAI_MODEL and OPENAI_BASE_URL.",
  429: "The quota of OPENAI_API_KEY is used up.",
};

const listCauses = (error: unknown): string[] =>
  error instanceof Error ? [String(error), ...listCauses(error.cause)] : [];
