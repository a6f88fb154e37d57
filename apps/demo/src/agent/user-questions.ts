/**
 * The questions that the agent asks the user: `interrupt` chunks, and how their answers are read. Nothing is kept in
 * between: the token of a question holds all that is needed to continue, so that any process can, even after a restart.
 */
import type { ChatResume, StreamChunkOf } from "@kortyx/server";
import { parseQuestion, type SearchHit, type SearchInput } from "./search.ts";

type Interrupt = StreamChunkOf<"interrupt">;

/** Asks for a question with a word to search for. */
export function askForWords(asked: SearchInput): Interrupt {
  const question = "Your question has no word that I could search for. What is it about?";
  return ask({ page: asked.page }, { kind: "text", multiple: false, question });
}

/** Asks which of several pages the user means. */
export function askWhich(asked: SearchInput, hits: readonly SearchHit[]): Interrupt {
  const options = hits.map(({ section: { page, title, heading } }) => ({
    id: page,
    label: title,
    description: `${page} › ${heading}`,
  }));
  const question = "Several pages are about this. Which one do you mean?";
  return ask({ query: asked.query }, { kind: "choice", multiple: false, question, options });
}

/** @returns the text to search for; `undefined` for a token that is not one of ours. */
export function readAnswer({ resumeToken, answer }: ChatResume): SearchInput | undefined {
  const token = parseToken(resumeToken);
  const text = [answer ?? []].flat().join(" ");
  if (typeof token?.query === "string") return { query: token.query, page: text };
  return token && { ...(typeof token.page === "string" && { page: token.page }), ...parseQuestion(text) };
}

/**
 * @param known - The half of the search that the answer completes. A client can read and change it: sign the token where
 * that would give it anything that it may not have anyway.
 */
function ask(known: Partial<SearchInput>, input: Interrupt["input"]): Interrupt {
  return { type: "interrupt", requestId: crypto.randomUUID(), resumeToken: JSON.stringify(known), input };
}

function parseToken(token: string): Record<string, unknown> | undefined {
  try {
    const known: unknown = JSON.parse(token);
    return typeof known === "object" && known !== null ? (known as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
