/**
 * The demo's agent: searches a few pages about these packages, quotes what it finds, and asks the user when it cannot
 * know what is meant. It needs no model, no key and no network, yet its stream is like that of an agent with a model
 * and a tool.
 */
import type { ChatAgent, ChatMessage, StreamChunk } from "@kortyx/server";
import {
  type AskedSearch,
  askForWords,
  askTime,
  askWhich,
  decideFeedback,
  proposeFeedback,
  readAnswers,
  tellTime,
} from "./ask-user.ts";
import {
  callSearch,
  createSearch,
  listWords,
  parseQuestion,
  type Search,
  type SearchHit,
  type SearchResult,
  searchTool,
  toSource,
} from "./search.ts";
import { fillReadingList, paceText, splitText } from "./write-answer.ts";

export interface DocumentationAgentOptions {
  search: Search;
  /** How fast answers are written; a token is about a word. `0` writes them at once. @defaultValue 40 */
  tokensPerSecond?: number | undefined;
  /** Sends feedback that the user has approved. @defaultValue writes it to the log */
  sendFeedback?: ((text: string) => void) | undefined;
}

/** A section is quoted if its score is at least this share of the best one. */
const minQuotedScore = 0.6;

export function createDocumentationAgent(options: DocumentationAgentOptions): ChatAgent {
  const { search, tokensPerSecond = 40, sendFeedback = logFeedback } = options;

  async function* answer(
    { maxQuotes = 2, ...asked }: AskedSearch,
    messages: readonly ChatMessage[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StreamChunk> {
    yield { type: "step-start", stepId: "search", name: "Search" };
    yield { type: "status", message: "Searching the documentation" };
    const { texts, unread } = await readAttachments(messages);
    let apology = unread.length > 0 ? `I can read only text, so I left out ${unread.join(", ")}. ` : "";
    let result: SearchResult | undefined;
    if (asked.page === undefined ? texts.size > 0 : texts.has(asked.page)) {
      result = yield* callSearch(createSearch(texts), "search_attachments", asked);
    }
    const isAttached = result !== undefined && result.hits.length > 0;
    if (!isAttached) result = yield* callSearch(search, searchTool, asked);
    if (result === undefined && asked.page !== undefined) {
      result = yield* callSearch(search, searchTool, { query: asked.query });
      apology += "I could not search there, so I searched everywhere. ";
    }
    yield { type: "step-end", stepId: "search" };
    const hits = result?.hits ?? [];
    const tied = findTiedPages(hits);
    if (tied.length > 1) {
      yield askWhich(asked, tied);
      return yield { type: "done", finishReason: "interrupt" };
    }

    yield { type: "step-start", stepId: "answer", name: "Answer" };
    const isQuoted = ({ score }: SearchHit) => score >= minQuotedScore * hits[0]!.score;
    const quoted = hits.filter(isQuoted).slice(0, maxQuotes);
    const text = [apology + introduce(result, isAttached), ...quoted.map(quote)].join("\n\n");
    // The other sections are a list to read: one step of it with each piece of the text.
    const list = fillReadingList(isAttached ? [] : hits.filter((hit) => !quoted.includes(hit)));
    for await (const delta of paceText(text, { tokensPerSecond, signal })) {
      // The segment id keeps the text in one piece, although the list grows at the same time.
      yield { type: "text-delta", delta, segmentId: "answer" };
      const step = list.next();
      if (!step.done) yield step.value;
    }
    yield* list;
    for (const { section } of quoted) {
      yield { ...toSource(section), ...(isAttached && { url: undefined }) };
    }
    const usage = countTokens(messages.map(({ content }) => content).join(" "), text);
    yield { type: "step-end", stepId: "answer", usage };
    yield { type: "done", finishReason: "stop", usage };
  }

  return {
    async *streamChat(messages, { resumes = [], toolResults = [], tools, signal }) {
      for (const { requestId, outcome = "answered", answer } of resumes) {
        yield { type: "interrupt-resolved", requestId, outcome, answer };
      }
      // Both continue an earlier answer: its call has a result, or the user's decision.
      if (toolResults.length > 0) return yield* tellTime(toolResults);
      const decision = resumes.find(({ toolCallId }) => toolCallId !== undefined);
      if (decision !== undefined) return yield* decideFeedback(decision, sendFeedback);

      const said = messages.findLast(({ role }) => role === "user")?.content ?? "";
      const [, feedback] = /^feedback:\s*(\S.*)/is.exec(said) ?? [];
      if (feedback !== undefined) return yield* proposeFeedback(feedback);
      if (/^what time is it\b/i.test(said)) return yield* askTime(tools);

      const answers = resumes.filter(({ outcome }) => outcome !== "cancelled");
      if (answers.length < resumes.length && said.trim() === "") {
        yield { type: "text-delta", delta: "All right. What else would you like to know?" };
        return yield { type: "done", finishReason: "stop" };
      }
      const asked = answers.length > 0 ? readAnswers(answers) : parseQuestion(said);
      if (listWords(asked.query).length > 0) return yield* answer(asked, messages, signal);
      yield* askForWords(asked);
      yield { type: "done", finishReason: "interrupt" };
    },
  };
}

/**
 * Reads the files that the user has attached: texts only, and nothing from elsewhere.
 *
 * @returns the texts by name, and the names of the latest message's files that are not text.
 */
async function readAttachments(messages: readonly ChatMessage[]) {
  const texts = new Map<string, string>();
  let unread: string[] = [];
  for (const { parts = [] } of messages.filter(({ role }) => role === "user")) {
    unread = [];
    for (const part of parts) {
      if (part.type !== "file") continue;
      const { url, mediaType, name = "attachment" } = part;
      // Another address could be one of this server's network, which a client must not reach.
      const isText = mediaType.startsWith("text/") && url.startsWith("data:");
      if (isText) texts.set(name, await (await fetch(url)).text());
      else unread.push(name);
    }
  }
  return { texts, unread };
}

const logFeedback = (text: string): void => console.log(`Feedback: ${JSON.stringify(text)}`);

/** The best section of each page whose heading names the question, if the best hit is such a section. */
function findTiedPages(hits: readonly SearchHit[]): SearchHit[] {
  if (!hits[0]?.isNamed) return [];
  const named = hits.filter(({ isNamed }) => isNamed);
  const pages = named.map(({ section }) => section.page);
  return named.filter(({ section }, index) => pages.indexOf(section.page) === index);
}

function introduce(result: SearchResult | undefined, isAttached: boolean): string {
  if (result === undefined) return "My search failed, so I cannot answer this now. Please ask again later.";
  if (result.hits.length === 0)
    return "I found nothing about this. I can only search a few pages about these packages, so other words may help.";
  if (result.hasUnknownWords) return "I did not find every word of your question. This comes closest:";
  return isAttached ? "This is in your attachment:" : "This is what the documentation says:";
}

const quote = ({ section: { heading, text } }: SearchHit): string =>
  `**${heading}**\n\n${text}`.replace(/^/gm, "> ").replace(/^> $/gm, ">");

function countTokens(input: string, output: string) {
  const inputTokens = splitText(input).length;
  const outputTokens = splitText(output).length;
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}
