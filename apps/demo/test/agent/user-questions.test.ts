import { expect, test } from "vitest";
import type { SearchHit } from "../../src/agent/search.ts";
import { askForWords, askWhich, readAnswers } from "../../src/agent/user-questions.ts";

const hit = (page: string, title: string): SearchHit => ({
  section: { page, title, heading: "Errors", text: "" },
  score: 1,
  isNamed: true,
});

const which = () => askWhich({ query: "errors" }, [hit("a.md", "Server"), hit("b.md", "Client")]);

test("a choice offers the pages", () => {
  expect(which().input).toEqual({
    kind: "choice",
    multiple: false,
    question: "Several pages are about this. Which one do you mean?",
    options: [
      { id: "a.md", label: "Server", description: "a.md › Errors" },
      { id: "b.md", label: "Client", description: "b.md › Errors" },
    ],
  });
});

test.each(["b.md", ["b.md"]])("the choice %j continues the search in that page", (answer) => {
  expect(readAnswers([{ ...which(), answer }])).toEqual({ query: "errors", page: "b.md" });
});

test("a text takes the place of the question, and keeps the page that was asked about", () => {
  const [about] = askForWords({ query: "why?", page: "a.md" });
  expect(about?.input).toEqual({
    kind: "text",
    multiple: false,
    question: "Your question has no word that I could search for. What is it about?",
  });
  const read = (answer: string) => readAnswers([{ ...about!, answer }]);
  expect(read("heartbeats")).toEqual({ query: "heartbeats", page: "a.md" });
  expect(read("heartbeats in:b")).toEqual({ query: "heartbeats", page: "b.md" });
});

test("two questions are answered together, in any order", () => {
  const [about, length] = askForWords({ query: "why?" });
  expect(about!.requestId).not.toBe(length!.requestId);
  const answers = [
    { ...length!, answer: "short" },
    { ...about!, answer: "heartbeats" },
  ];
  const search = { query: "heartbeats", maxQuotes: 1 };
  expect(readAnswers(answers)).toEqual(search);
  expect(readAnswers(answers.reverse())).toEqual(search);
});
