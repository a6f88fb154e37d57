/**
 * The demo's agent: searches a few pages about these packages, quotes what it finds, and asks the user when it cannot
 * know what is meant. It needs no model, no key and no network, yet its stream is like that of an agent with a model
 * and a tool.
 */
import type { ChatAgent, StreamChunk } from "@kortyx/server";
import { paceText, splitText } from "./pace-text.ts";
import { fillReadingList } from "./reading-list.ts";
import {
  listWords,
  parseQuestion,
  type Search,
  type SearchHit,
  type SearchInput,
  type SearchResult,
} from "./search.ts";
import { runSearch, searchTool, toSource } from "./search-tool.ts";
import { askForWords, askWhich, readAnswer } from "./user-questions.ts";

export interface DocumentationAgentOptions {
  search: Search;
  /** How fast answers are written; a token is about a word. `0` writes them at once. @defaultValue 40 */
  tokensPerSecond?: number | undefined;
}

const maxQuotes = 2;
/** A section is quoted if its score is at least this share of the best one. */
const minQuotedScore = 0.6;

export function createDocumentationAgent(options: DocumentationAgentOptions): ChatAgent {
  const { search, tokensPerSecond = 40 } = options;

  return {
    async *streamChat(messages, { resume, signal }) {
      const said = messages.findLast(({ role }) => role === "user")?.content ?? "";
      const isCancelled = resume?.outcome === "cancelled";
      if (isCancelled && said.trim() === "") {
        yield { type: "text-delta", delta: "All right. What else would you like to know?" };
        return yield { type: "done", finishReason: "stop" };
      }

      const asked = resume === undefined || isCancelled ? parseQuestion(said) : readAnswer(resume);
      if (asked === undefined) return yield unknownQuestion;
      if (listWords(asked.query).length === 0) {
        yield askForWords(asked);
        return yield { type: "done", finishReason: "interrupt" };
      }

      yield { type: "status", message: "Searching the documentation" };
      let result = yield* callSearch(search, asked);
      let apology = "";
      if (result === undefined && asked.page !== undefined) {
        result = yield* callSearch(search, { query: asked.query });
        apology = "I could not search there, so I searched everywhere. ";
      }
      const hits = result?.hits ?? [];
      const tied = findTiedPages(hits);
      if (tied.length > 1) {
        yield askWhich(asked, tied);
        return yield { type: "done", finishReason: "interrupt" };
      }

      const isQuoted = ({ score }: SearchHit) => score >= minQuotedScore * hits[0]!.score;
      const quoted = hits.filter(isQuoted).slice(0, maxQuotes);
      const text = [apology + introduce(result), ...quoted.map(quote)].join("\n\n");
      // The other sections are a list to read: one step of it with each piece of the text.
      const list = fillReadingList(hits.filter((hit) => !quoted.includes(hit)));
      for await (const delta of paceText(text, { tokensPerSecond, signal })) {
        // The segment id keeps the text in one piece, although the list grows at the same time.
        yield { type: "text-delta", delta, segmentId: "answer" };
        const step = list.next();
        if (!step.done) yield step.value;
      }
      yield* list;
      for (const { section } of quoted) yield toSource(section);
      const usage = countTokens(messages.map(({ content }) => content).join(" "), text);
      yield { type: "done", finishReason: "stop", usage };
    },
  };
}

function* callSearch(search: Search, input: SearchInput) {
  const call = { tool: searchTool, toolCallId: crypto.randomUUID() };
  yield { ...call, type: "tool-call-start", input } as const;
  return yield* runSearch(search, { ...call, input });
}

const unknownQuestion: StreamChunk = {
  type: "error",
  code: "invalid-resume-token",
  message: "This question can no longer be answered. Please ask again.",
  retryable: false,
};

/** The best section of each page whose heading names the question, if the best hit is such a section. */
function findTiedPages(hits: readonly SearchHit[]): SearchHit[] {
  if (!hits[0]?.isNamed) return [];
  const pages = new Map<string, SearchHit>();
  for (const hit of hits) {
    if (hit.isNamed && !pages.has(hit.section.page)) pages.set(hit.section.page, hit);
  }
  return [...pages.values()];
}

function introduce(result: SearchResult | undefined): string {
  if (result === undefined) return "My search failed, so I cannot answer this now. Please ask again later.";
  if (result.hits.length === 0)
    return "I found nothing about this. I can only search a few pages about these packages, so other words may help.";
  if (result.hasUnknownWords)
    return "Not every word of your question is in the documentation. This comes closest:";
  return "This is what the documentation says:";
}

const quote = ({ section: { heading, text } }: SearchHit): string =>
  `**${heading}**\n\n${text}`.replace(/^/gm, "> ").replace(/^> $/gm, ">");

function countTokens(input: string, output: string) {
  const inputTokens = splitText(input).length;
  const outputTokens = splitText(output).length;
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}
