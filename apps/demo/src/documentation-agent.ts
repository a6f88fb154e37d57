/**
 * An agent that answers questions about a repository from its own Markdown: it searches, then quotes what it found.
 * Needs no model, no key and no network, and yet streams what an agent with a model and a tool would.
 */
import type { ChatMessage, StreamChunk } from "@kortyx/server";
import { createDocumentationIndex, type DocumentationSearch } from "./documentation-index.ts";
import { documentUrl } from "./markdown-sections.ts";
import { paceText, splitText } from "./pace-text.ts";
import { quoteSection } from "./quote-section.ts";

export interface DocumentationAgentOptions {
  /** The folder whose Markdown files are searched, at every question. */
  root: string;
  /** How fast the answer is written; a token is a word, more or less. `0` writes it at once. @defaultValue 40 */
  tokensPerSecond?: number | undefined;
}

export interface DocumentationAgent {
  /** Answers the last question of the user. Ends at once when the signal is aborted. */
  streamChat(
    messages: readonly ChatMessage[],
    options: { sessionId?: string | undefined; signal?: AbortSignal | undefined },
  ): AsyncGenerator<StreamChunk>;
  /** The source of a file that answers may link to; `undefined` for every other path. */
  readDocument(path: string): Promise<string | undefined>;
}

const tool = "search_documentation";
const maxQuotes = 3;

/** Creates the agent. It keeps an index of the files, and rebuilds it only when one of them has changed. */
export function createDocumentationAgent(options: DocumentationAgentOptions): DocumentationAgent {
  const { root, tokensPerSecond = 40 } = options;
  const index = createDocumentationIndex(root);

  async function* answer(
    messages: readonly ChatMessage[],
    sessionId: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StreamChunk> {
    const query = messages.findLast((message) => message.role === "user")?.content.trim() ?? "";
    const toolCallId = crypto.randomUUID();

    yield { type: "session", sessionId: sessionId ?? crypto.randomUUID() };
    yield { type: "status", message: "Searching the documentation" };
    yield { type: "tool-call-start", tool, toolCallId, input: { query } };
    const found = await index.search(query, signal);
    yield { type: "tool-call-result", tool, toolCallId, content: describeHits(found) };

    const quoted = found.hits.slice(0, maxQuotes);
    const text = [introduce(found), ...quoted.map((hit) => quoteSection(hit.section, hit.rarities))].join(
      "\n\n",
    );
    for await (const delta of paceText(text, { tokensPerSecond, signal }))
      yield { type: "text-delta", delta };

    for (const [position, { section }] of quoted.entries()) {
      const title = `${section.path} › ${section.heading}`;
      yield { type: "source", id: `source-${position + 1}`, title, url: documentUrl(section.path) };
    }

    const inputTokens = messages.reduce((sum, message) => sum + splitText(message.content).length, 0);
    const outputTokens = splitText(text).length;
    const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
    yield { type: "done", finishReason: "stop", usage };
  }

  return {
    async *streamChat(messages, { sessionId, signal }) {
      try {
        if (signal?.aborted) return;
        for await (const chunk of answer(messages, sessionId, signal)) {
          // Nobody waits for what was found or written after the abort.
          if (signal?.aborted) return;
          yield chunk;
        }
      } catch (error) {
        if (!signal?.aborted) throw error;
      }
    },
    readDocument: index.readDocument,
  };
}

/** What the tool returns: a list of places, or a text when there is none. */
function describeHits({ hits }: DocumentationSearch): unknown {
  if (hits.length === 0) return "Nothing found.";
  return hits.map(({ section, score }) => ({
    path: section.path,
    heading: section.heading,
    score: Math.round(score * 100) / 100,
  }));
}

function introduce({ hits, hasUnknownWords }: DocumentationSearch): string {
  if (hits.length === 0) {
    return "I found nothing about this in the documentation of this repository. All I can do is search its Markdown files, so other words may help.";
  }
  if (hasUnknownWords) {
    return "Not every word of your question occurs in the documentation. This comes closest:";
  }
  return "This is what the documentation says:";
}
