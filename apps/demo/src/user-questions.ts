/**
 * What the agent asks the user: the `interrupt` chunks, and how their answers are read. An answer comes with a later
 * request, so all that is needed to go on is in the question's token.
 */
import type { ChatResume, ErrorChunk, StreamChunkOf } from "@kortyx/server";
import { parseQuestion } from "./parse-question.ts";
import { createResumeTokens } from "./resume-token.ts";
import type { SearchInput } from "./search-tool.ts";
import type { DocumentationHit } from "./section-search.ts";

type Interrupt = StreamChunkOf<"interrupt">;

/** What is known of a question that waits. */
interface PendingQuestion {
  requestId: string;
  sessionId: string;
  /** What the user had asked. */
  asked: SearchInput;
  /** The paths to choose from; absent when any text is an answer. */
  paths?: string[] | undefined;
}

export interface UserQuestions {
  /** Asks what a question is about that says nothing to search for. */
  askForWords(asked: SearchInput, sessionId: string): Interrupt;
  /** Asks which of several documents is meant. */
  askWhich(asked: SearchInput, topics: readonly DocumentationHit[], sessionId: string): Interrupt;
  /** Reads the answer to a question of this session: what to search for now, or why it cannot be accepted. */
  readAnswer(
    resume: Exclude<ChatResume, { outcome: "cancelled" }>,
    sessionId: string,
  ): SearchInput | ErrorChunk;
}

const expiredQuestion: ErrorChunk = {
  type: "error",
  code: "invalid-resume-token",
  message: "This question can no longer be answered. Please ask again.",
  retryable: false,
};
const unknownAnswer: ErrorChunk = {
  type: "error",
  code: "invalid-answer",
  message: "Please choose one of the answers that the question offers.",
  retryable: false,
};

/** Creates the questions of one agent. Only this agent accepts their answers, as often as they are given. */
export function createUserQuestions(): UserQuestions {
  const tokens = createResumeTokens<PendingQuestion>();

  function ask(pending: Omit<PendingQuestion, "requestId">, input: Interrupt["input"]): Interrupt {
    const requestId = crypto.randomUUID();
    return { type: "interrupt", requestId, resumeToken: tokens.sign({ requestId, ...pending }), input };
  }

  return {
    askForWords(asked, sessionId) {
      const question = "Your question has no word that I could search for. What is it about?";
      return ask({ sessionId, asked }, { kind: "text", multiple: false, question });
    },
    askWhich(asked, topics, sessionId) {
      const paths = topics.map(({ section }) => section.path);
      const options = topics.map(({ section: { path, heading } }) => ({
        id: path,
        label: heading,
        description: path,
      }));
      const question = "Several documents are about this. Which one do you mean?";
      return ask({ sessionId, asked, paths }, { kind: "choice", multiple: false, question, options });
    },
    readAnswer({ requestId, resumeToken, answer }, sessionId) {
      const pending = tokens.verify(resumeToken);
      // A token that is genuine may still be that of another conversation, or of another question.
      if (pending?.requestId !== requestId || pending.sessionId !== sessionId) return expiredQuestion;
      const { asked, paths } = pending;
      const text = typeof answer === "string" ? answer : answer.join(" ");
      if (paths === undefined) return { ...asked, ...parseQuestion(text) };
      return paths.includes(text) ? { ...asked, path: text } : unknownAnswer;
    },
  };
}
