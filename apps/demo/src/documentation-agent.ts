/**
 * An agent that answers questions about a repository from its own Markdown: it searches, then quotes what it found, and
 * asks the user when it cannot tell what is meant. Needs no model, no key and no network, and yet streams what an agent
 * with a model and a tool would.
 */
import type { ChatAgentOptions, ChatMessage, StreamChunk } from "@kortyx/server";
import { createDocumentationIndex } from "./documentation-index.ts";
import { findTiedTopics } from "./find-tied-topics.ts";
import { documentUrl } from "./markdown-sections.ts";
import { paceText, splitText } from "./pace-text.ts";
import { parseQuestion } from "./parse-question.ts";
import { quoteSection } from "./quote-section.ts";
import { fillReadingList } from "./reading-list.ts";
import { runSearch, type Search, type SearchInput, searchTool } from "./search-tool.ts";
import { type DocumentationHit, type DocumentationSearch, isSearchable } from "./section-search.ts";
import { untilAborted } from "./until-aborted.ts";
import { createUserQuestions } from "./user-questions.ts";

export interface DocumentationAgentOptions {
  /** The folder whose Markdown files are searched, at every question. */
  root: string;
  /** How fast the answer is written; a token is a word, more or less. `0` writes it at once. @defaultValue 40 */
  tokensPerSecond?: number | undefined;
  /** What the agent calls as its tool. @defaultValue the full-text search over the files */
  search?: Search | undefined;
}

export interface DocumentationAgent {
  /** Answers the last question of the user, or goes on with an answer to its own. Ends at once when aborted. */
  streamChat(messages: readonly ChatMessage[], options: ChatAgentOptions): AsyncGenerator<StreamChunk>;
  /** The tool that it calls. */
  search: Search;
  /** The source of a file that answers may link to; `undefined` for every other path. */
  readDocument(path: string): Promise<string | undefined>;
}

const maxQuotes = 3;
const searchFailed =
  "I am sorry, my search failed, so I cannot answer this now. Please ask again in a while.";

/** Creates the agent. It keeps an index of the files, and rebuilds it only when one of them has changed. */
export function createDocumentationAgent(options: DocumentationAgentOptions): DocumentationAgent {
  const { root, tokensPerSecond = 40 } = options;
  const index = createDocumentationIndex(root);
  const { search = index.search } = options;
  const questions = createUserQuestions();

  async function* answer(
    messages: readonly ChatMessage[],
    { sessionId = crypto.randomUUID(), resume, signal }: ChatAgentOptions,
  ): AsyncGenerator<StreamChunk> {
    yield { type: "session", sessionId };
    const said = messages.findLast((message) => message.role === "user")?.content ?? "";
    const isCancelled = resume?.outcome === "cancelled";
    if (isCancelled && said.trim() === "") {
      yield { type: "text-delta", delta: "All right. What else would you like to know?" };
      return yield { type: "done", finishReason: "stop" };
    }
    const asked =
      resume === undefined || isCancelled ? parseQuestion(said) : questions.readAnswer(resume, sessionId);
    if ("type" in asked) return yield asked;
    if (!isSearchable(asked.query)) {
      yield questions.askForWords(asked, sessionId);
      return yield { type: "done", finishReason: "interrupt" };
    }

    yield { type: "status", message: "Searching the documentation" };
    let { found } = yield* callSearch(asked, signal);
    let apology: string | undefined;
    if (found === undefined && asked.path !== undefined) {
      ({ found } = yield* callSearch({ query: asked.query }, signal));
      if (found !== undefined) apology = "I am sorry, I could not search there, so I searched everywhere.";
    }
    const hits = found?.hits ?? [];
    const topics = findTiedTopics(hits);
    if (topics.length > 0) {
      yield questions.askWhich(asked, topics, sessionId);
      return yield { type: "done", finishReason: "interrupt" };
    }

    const quoted = hits.slice(0, maxQuotes);
    const quotes = quoted.map((hit) => quoteSection(hit.section, hit.rarities, hit.passage));
    const introduction = found === undefined ? searchFailed : introduce(found);
    const text = [apology, introduction, ...quotes].filter((part) => part !== undefined).join("\n\n");
    yield* write(text, hits, signal);
    for (const [position, { section }] of quoted.entries()) {
      const title = `${section.path} › ${section.heading}`;
      yield { type: "source", id: `source-${position + 1}`, title, url: documentUrl(section.path) };
    }

    const inputTokens = messages.reduce((sum, message) => sum + splitText(message.content).length, 0);
    const outputTokens = splitText(text).length;
    const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
    yield { type: "done", finishReason: "stop", usage };
  }

  async function* callSearch(input: SearchInput, signal: AbortSignal | undefined) {
    const toolCallId = crypto.randomUUID();
    yield { type: "tool-call-start", tool: searchTool, toolCallId, input } as const;
    return yield* runSearch(search, { toolCallId, input }, signal);
  }

  /** Writes the text, and fills the reading list beside it: one step with each piece of text. */
  async function* write(
    text: string,
    hits: readonly DocumentationHit[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StreamChunk> {
    const list = fillReadingList(hits);
    for await (const delta of paceText(text, { tokensPerSecond, signal })) {
      // With a key, because the list grows beside it.
      yield { type: "text-delta", delta, segmentId: "answer" };
      const step = list.next();
      if (!step.done) yield step.value;
    }
    yield* list;
  }

  return {
    streamChat: (messages, chatOptions) => untilAborted(chatOptions.signal, answer(messages, chatOptions)),
    search,
    readDocument: index.readDocument,
  };
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
