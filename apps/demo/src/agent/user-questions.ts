/**
 * The questions that the agent asks the user: `interrupt` chunks, and how their answers are read. Nothing is kept in
 * between: the token of a question holds all that is needed to continue, so that any process can, even after a restart.
 * The route signs the tokens, so each comes back as the agent wrote it; an answer is whatever a client sent.
 */
import type { ChatAgentOptions, StreamChunkOf } from "@kortyx/server";
import { parseQuestion, type SearchHit, type SearchInput } from "./search.ts";

type Interrupt = StreamChunkOf<"interrupt">;
export type Answer = NonNullable<ChatAgentOptions["resumes"]>[number];

/** A search as far as it is known, and the number of sections to quote. */
export interface AskedSearch extends SearchInput {
  maxQuotes?: number;
}

/** What a question is about, and what must be known to continue. */
type Token = Partial<SearchInput> & { asks: "words" | "length" | "page" };

/** Asks for a word to search for and, at the same time, how long the answer may be. */
export function askForWords({ page }: SearchInput): Interrupt[] {
  const question = "Your question has no word that I could search for. What is it about?";
  const options = [
    { id: "short", label: "Short", description: "Only the best section" },
    { id: "long", label: "Long", description: "Every section that fits" },
  ];
  return [
    ask({ asks: "words", page }, { kind: "text", multiple: false, question }),
    ask(
      { asks: "length" },
      { kind: "choice", multiple: false, question: "How long may the answer be?", options },
    ),
  ];
}

/** Asks which of several pages the user means. */
export function askWhich({ query }: SearchInput, hits: readonly SearchHit[]): Interrupt {
  const options = hits.map(({ section: { page, title, heading } }) => ({
    id: page,
    label: title,
    description: `${page} › ${heading}`,
  }));
  const question = "Several pages are about this. Which one do you mean?";
  return ask({ asks: "page", query }, { kind: "choice", multiple: false, question, options });
}

/** The search that all answers together describe. */
export const readAnswers = (answers: readonly Answer[]): AskedSearch =>
  Object.assign({ query: "" }, ...answers.map(readAnswer));

function readAnswer({ resumeToken, answer }: Answer): Partial<AskedSearch> {
  const { asks, ...known }: Token = JSON.parse(resumeToken);
  const text = [answer ?? []].flat().join(" ");
  if (asks === "length") return { maxQuotes: text === "short" ? 1 : 4 };
  return { ...known, ...(asks === "page" ? { page: text } : parseQuestion(text)) };
}

const ask = (token: Token, input: Interrupt["input"]): Interrupt => ({
  type: "interrupt",
  requestId: crypto.randomUUID(),
  resumeToken: JSON.stringify(token),
  input,
});
