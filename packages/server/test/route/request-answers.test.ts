import { describe, expect, test } from "vitest";
import { parseChatRequestBody } from "../../src/route/read-chat-request.ts";
import { messages } from "./request-issues.ts";

describe("an answer in the metadata of the last message", () => {
  const carried = { token: "t", requestId: "r", selected: ["a", "b"] };
  const answered = { requestId: "r", resumeToken: "t", answer: ["a", "b"] };
  const userMessage = (content: string, resume?: unknown) => ({
    role: "user",
    content,
    metadata: { mood: "good", resume },
  });

  test("becomes the resume, and also stays in the metadata", () => {
    const body = { messages: [...messages, userMessage("Apples, Bananas", carried)] };
    expect(parseChatRequestBody(body)).toEqual({ ...body, resume: answered, resumes: [answered] });
    const cancelled = { messages: [userMessage("", { ...carried, cancel: true })] };
    const resume = { requestId: "r", resumeToken: "t", outcome: "cancelled" };
    expect(parseChatRequestBody(cancelled)).toEqual({ ...cancelled, resume, resumes: [resume] });
  });

  test("becomes a string if it is one text or choice, as a chat sends it", () => {
    const body = { messages: [userMessage("Apples", { ...carried, selected: ["a"] })] };
    expect(parseChatRequestBody(body).resume).toEqual({ ...answered, answer: "a" });
  });

  test("is that of an earlier request if this one continues an answer, and ignored", () => {
    const body = { messages: [userMessage("Apples", carried)], trigger: "continue" };
    expect(parseChatRequestBody(body)).toEqual(body);
  });

  test("is overridden by a resume in the body", () => {
    const own = { requestId: "r2", resumeToken: "t2", answer: "b" };
    const body = { messages: [userMessage("Apples", carried)], resume: own };
    expect(parseChatRequestBody(body)).toEqual({ ...body, resumes: [own] });
    const several = { messages: body.messages, resumes: [own] };
    expect(parseChatRequestBody(several)).toEqual({ ...several, resume: own });
  });

  test("is ignored in an earlier message, or if it does not have the shape of an answer", () => {
    for (const all of [
      [],
      [userMessage("Apples", carried), ...messages],
      [userMessage("Apples", { ...carried, token: 7 })],
      [userMessage("Apples", { ...carried, selected: [7] })],
      [userMessage("See my CV", { file: "cv.pdf" })],
      [userMessage("Hi", null)],
    ]) {
      const body = parseChatRequestBody({ messages: all });
      expect(body).toEqual({ messages: all });
      expect(body).not.toHaveProperty("resume");
      expect(body).not.toHaveProperty("resumes");
    }
  });
});

describe("the answers to several questions", () => {
  const ask = (fields: object) => ({ requestId: "q1", resumeToken: "t", ...fields });
  const choice = ask({ answer: ["a"] });

  test.each<[string, object[], unknown]>([
    ["a text", [ask({ answer: "yes" })], ask({ answer: "yes" })],
    ["no options", [ask({ answer: [] })], ask({ answer: [] })],
    [
      "ids after JSON",
      [ask({ answer: { a: 1 } }), { ...choice, requestId: "q2" }],
      { ...choice, requestId: "q2" },
    ],
    [
      "a cancelled question",
      [ask({ outcome: "cancelled", reason: "No." })],
      ask({ outcome: "cancelled", reason: "No." }),
    ],
    ["only JSON", [ask({ answer: null }), ask({ requestId: "q2", answer: ["a", 7] })], undefined],
    ["a cancelled question with JSON", [ask({ outcome: "cancelled", answer: 7 })], undefined],
  ])("have the first that suits it as `resume`: %s", (_, resumes, resume) => {
    // Anything else in its place would be an answer that no verification of `resumes` has seen.
    const other = ask({ requestId: "other", answer: "b" });
    expect(parseChatRequestBody({ messages, resumes, resume: other })).toEqual({ messages, resumes, resume });
  });

  test("are those of `resume` or the metadata if the list is empty", () => {
    expect(parseChatRequestBody({ messages, resumes: [], resume: choice }).resumes).toEqual([choice]);
  });
});
