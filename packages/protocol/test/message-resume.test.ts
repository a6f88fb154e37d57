import { describe, expect, test } from "vitest";
import type { ChatResume } from "../src/chat-request.ts";
import { parseMessageResume, toMessageResume } from "../src/message-resume.ts";

const question = { requestId: "request-1", resumeToken: "token-1" };
const parse = (resume: unknown) => parseMessageResume({ metadata: { mood: "good", resume } });
const parseGiven = (given: object) => parse({ token: "token-1", requestId: "request-1", ...given });

describe("the answer that a message carries", () => {
  test("is written as an array, with the token as `token`", () => {
    const given: [ChatResume, unknown][] = [
      [{ ...question, answer: "Lisbon" }, { selected: ["Lisbon"] }],
      [{ ...question, answer: "" }, { selected: [""] }],
      [{ ...question, answer: ["a", "b"] }, { selected: ["a", "b"] }],
      [{ ...question, answer: [], outcome: "answered" }, { selected: [] }],
      [{ ...question, outcome: "cancelled" }, { cancel: true }],
      [{ ...question, outcome: "cancelled", answer: "a", reason: "No time" }, { cancel: true }],
    ];
    for (const [resume, carried] of given) {
      expect(toMessageResume(resume)).toEqual({
        token: "token-1",
        requestId: "request-1",
        ...(carried as object),
      });
    }
  });

  test("is read from every field where an agent of Kortyx reads it", () => {
    const answers: [object, string | string[]][] = [
      [{ selected: "a" }, "a"],
      [{ selected: "" }, ""],
      [{ selected: ["a"] }, "a"],
      [{ selected: ["a", "b"] }, ["a", "b"]],
      [{ selected: [] }, []],
      [{ choice: { id: "a", label: "Apples" } }, "a"],
      [{ choices: [{ id: "a" }] }, "a"],
      [{ choices: [{ id: "a", label: "Apples" }, { id: "b" }] }, ["a", "b"]],
      [{ choices: [] }, []],
      [{ selected: "a", choice: { id: "b" }, choices: [{ id: "c" }] }, "a"],
      [{ choice: { id: "b" }, choices: [{ id: "c" }] }, "b"],
      [{ selected: "a", cancel: false }, "a"],
      [{ selected: "a", cancel: "true" }, "a"],
    ];
    for (const [given, answer] of answers) {
      expect(parseGiven(given), JSON.stringify(given)).toEqual({ ...question, answer });
    }
  });

  test("may be a cancellation", () => {
    for (const given of [{ cancel: true }, { cancel: true, selected: ["a"] }]) {
      expect(parseGiven(given)).toEqual({ ...question, outcome: "cancelled" });
    }
  });

  test("is absent where the application uses the field for something else", () => {
    for (const metadata of [undefined, {}, { selected: ["a"] }]) {
      expect(parseMessageResume({ metadata })).toBeUndefined();
    }
    for (const resume of [null, undefined, "token-1", 7, true, [], ["a"], {}, { file: "cv.pdf" }]) {
      expect(parse(resume), JSON.stringify(resume)).toBeUndefined();
    }
    for (const ids of [
      { token: "" },
      { token: " " },
      { token: 7 },
      { token: undefined },
      { requestId: "" },
      { requestId: "\t" },
      { requestId: null },
      { requestId: undefined },
    ]) {
      expect(parseGiven({ selected: ["a"], ...ids }), JSON.stringify(ids)).toBeUndefined();
      expect(parseGiven({ cancel: true, ...ids }), JSON.stringify(ids)).toBeUndefined();
    }
    for (const answer of [
      {},
      { selected: 7 },
      { selected: null },
      { selected: { id: "a" } },
      { selected: [7] },
      { selected: ["a", null] },
      { selected: [["a"]] },
      { selected: [["a", "b"]] },
      { choice: "a" },
      { choice: { id: 7 } },
      { choice: null },
      { choices: "a" },
      { choices: { id: "a" } },
      { choices: ["a"] },
      { choices: [{ id: "a" }, {}] },
      { choices: [null] },
      { cancel: 1 },
    ]) {
      expect(parseGiven(answer), JSON.stringify(answer)).toBeUndefined();
    }
  });
});
