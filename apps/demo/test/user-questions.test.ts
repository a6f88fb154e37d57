import { expect, test } from "vitest";
import type { DocumentationHit } from "../src/section-search.ts";
import { createUserQuestions } from "../src/user-questions.ts";

const topic = (path: string, heading: string): DocumentationHit => ({
  section: { path, document: path, heading, blocks: [], text: "" },
  passage: { kind: "text", markdown: "" },
  score: 1,
  isNamed: true,
  rarities: new Map(),
});
const topics = [topic("a.md", "Errors"), topic("docs/b.md", "All errors")];

const expired = {
  type: "error",
  code: "invalid-resume-token",
  message: "This question can no longer be answered. Please ask again.",
  retryable: false,
};

function askWhich() {
  const questions = createUserQuestions();
  const { requestId, resumeToken, input } = questions.askWhich({ query: "errors" }, topics, "s1");
  return { questions, requestId, resumeToken, input };
}

test("a choice offers the documents", () => {
  expect(askWhich().input).toEqual({
    kind: "choice",
    multiple: false,
    question: "Several documents are about this. Which one do you mean?",
    options: [
      { id: "a.md", label: "Errors", description: "a.md" },
      { id: "docs/b.md", label: "All errors", description: "docs/b.md" },
    ],
  });
});

test.each(["docs/b.md", ["docs/b.md"]])(
  "the choice %j goes on with the question, in that document",
  (answer) => {
    const { questions, requestId, resumeToken } = askWhich();
    expect(questions.readAnswer({ requestId, resumeToken, answer }, "s1")).toEqual({
      query: "errors",
      path: "docs/b.md",
    });
  },
);

test.each(["README.md", "", "a.md docs/b.md", ["a.md", "docs/b.md"], []])(
  "an answer that was not offered is refused: %j",
  (answer) => {
    const { questions, requestId, resumeToken } = askWhich();
    expect(questions.readAnswer({ requestId, resumeToken, answer }, "s1")).toEqual({
      type: "error",
      code: "invalid-answer",
      message: "Please choose one of the answers that the question offers.",
      retryable: false,
    });
  },
);

test("a text takes the place of the question, and keeps the place that was asked about", () => {
  const questions = createUserQuestions();
  const { requestId, resumeToken, input } = questions.askForWords({ query: "why?", path: "docs" }, "s1");
  expect(input).toEqual({
    kind: "text",
    multiple: false,
    question: "Your question has no word that I could search for. What is it about?",
  });
  const read = (answer: string) => questions.readAnswer({ requestId, resumeToken, answer }, "s1");
  expect(read("heartbeats")).toEqual({ query: "heartbeats", path: "docs" });
  expect(read("heartbeats in:packages")).toEqual({ query: "heartbeats", path: "packages" });
});

test("a token is refused that is changed, or of another process, question or session", () => {
  const { questions, requestId, resumeToken } = askWhich();
  const other = questions.askWhich({ query: "errors" }, topics, "s1");
  const foreign = createUserQuestions().askWhich({ query: "errors" }, topics, "s1");
  const read = (resume: { requestId?: string; resumeToken?: string }, sessionId = "s1") =>
    questions.readAnswer({ requestId, resumeToken, answer: "a.md", ...resume }, sessionId);
  expect(read({})).toEqual({ query: "errors", path: "a.md" });
  expect(read({ resumeToken: `${resumeToken}x` })).toEqual(expired);
  expect(read({ resumeToken: "nonsense" })).toEqual(expired);
  expect(read({ resumeToken: foreign.resumeToken })).toEqual(expired);
  expect(read({ ...foreign })).toEqual(expired);
  expect(read({ resumeToken: other.resumeToken })).toEqual(expired);
  expect(read({ requestId: other.requestId })).toEqual(expired);
  expect(read({}, "s2")).toEqual(expired);
});
