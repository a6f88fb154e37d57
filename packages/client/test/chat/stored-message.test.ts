import { describe, expect, test } from "vitest";
import { toMessageText } from "../../src/chat/messages.ts";
import { type StoredMessage, toUIMessage } from "../../src/chat/stored-message.ts";

const part = (text: string, state = "done") => ({ type: "text", key: "", text, state });
const answer = { id: "run", role: "assistant", status: "done", parts: [part("Hi")] };

/** A store returns untyped data. */
const show = (stored: unknown, index = 0) => toUIMessage(stored as StoredMessage, index);

describe("a stored message", () => {
  test("that needs no change is returned as the same object", () => {
    for (const stored of [
      { id: "1", role: "user", content: "" },
      { id: "1", role: "user", content: "Hi", metadata: { a: null }, timestamp: undefined },
      Object.freeze({ ...answer, usage: { inputTokens: 1 } }),
      { ...answer, status: "aborted", abortReason: "stopped" },
    ]) {
      expect(show(stored)).toBe(stored);
    }
  });

  test("stored while streaming is truncated, with nothing open", () => {
    const stored = { ...answer, status: "streaming", parts: [part("Hi", "streaming")] };
    expect(show(stored)).toEqual({ ...answer, status: "truncated" });
  });

  test("keeps calls that wait for an approval or for the client", () => {
    for (const [finishReason, state, shown] of [
      ["interrupt", "awaiting-approval", "awaiting-approval"],
      ["tool-calls", "awaiting-client", "awaiting-client"],
      ["interrupt", "running", "running"],
    ]) {
      const stored = { ...answer, finishReason, parts: [{ type: "tool-call", toolCallId: "c", state }] };
      expect(show(stored)).toBe(stored);
      expect((show(stored) as { parts: unknown[] }).parts).toMatchObject([{ state: shown }]);
    }
  });

  test("has no URL that a page could run", () => {
    const source = { type: "source", id: "1" };
    const parts = [part("Hi"), { ...source, url: "javascript:alert(1)" }];
    expect(show({ ...answer, parts })).toEqual({ ...answer, parts: [part("Hi"), source] });
    const file = { type: "file", mediaType: "image/png", url: " JavaScript:alert(1)" };
    const user = { id: "1", role: "user", content: "Look" };
    expect(show({ ...user, parts: [{ type: "text", text: "Look" }, null, file] })).toEqual({
      ...user,
      parts: [
        { type: "text", text: "Look" },
        { ...file, url: "" },
      ],
    });
    expect(show({ ...user, parts: "Look" })).toEqual({ ...user, parts: [] });
  });

  test("with text content is an answer with one part, or none if the text is empty", () => {
    expect(show({ id: "7", role: "assistant", content: "Hi" })).toEqual({ ...answer, id: "7" });
    expect(show({ id: "7", role: "assistant", content: "" })).toEqual({ ...answer, id: "7", parts: [] });
  });

  test("gets a string id, the same one each time", () => {
    expect(show({ id: 42, role: "user", content: "Hi" })).toEqual({ id: "42", role: "user", content: "Hi" });
    expect(show({ role: "user", content: "Hi" }, 3)).toMatchObject({ id: "message-3" });
    expect(show({ role: "assistant", content: "Hi", id: null }, 4)).toMatchObject({ id: "message-4" });
  });

  test("treats null as absent", () => {
    const nulls = { abortReason: null, error: null, interrupt: null, usage: null };
    expect(show({ ...answer, ...nulls })).toEqual(answer);
    expect(show({ ...answer, status: null })).toEqual(answer);
    expect(show({ ...answer, parts: [null, ...answer.parts, null] })).toEqual(answer);
    const streaming = { ...answer, status: "streaming", parts: [null, part("Hi", "streaming")] };
    expect(show(streaming)).toEqual({ ...answer, status: "truncated" });
    expect(
      toMessageText(show({ ...answer, parts: [{ ...part("Hi"), node: null }, part(null as never)] })),
    ).toBe("Hi");
    expect(show({ id: "1", role: "user", content: "Hi", metadata: null })).toEqual({
      id: "1",
      role: "user",
      content: "Hi",
    });
  });

  test("survives JSON", () => {
    for (const stored of [answer, { id: "1", role: "user", content: "Hi" }]) {
      expect(show(JSON.parse(JSON.stringify(show(stored))))).toEqual(stored);
    }
  });

  test("that no chat can show is refused, and the error names its index, role and keys", () => {
    for (const [stored, got] of [
      [{ ...answer, role: undefined }, "got the role undefined, and the keys id, role, status, parts."],
      [
        { id: "1", role: "system", content: "Be kind." },
        'got the role "system", and the keys id, role, content.',
      ],
      [{ id: "1", role: "user", parts: [] }, 'got the role "user", and the keys id, role, parts.'],
      [{ id: "1", role: "assistant" }, 'got the role "assistant", and the keys id, role.'],
      [{}, "got the role undefined, and no keys."],
      [null, "got the role undefined, and no keys."],
    ] as const) {
      expect(() => show(stored, 2)).toThrow(
        expect.objectContaining({
          name: "ChatStateError",
          code: "invalid-message",
          message: `Cannot show messages[2]: expected the role "user" with a text as content, or "assistant" with parts or a text as content; ${got}`,
        }),
      );
    }
  });
});
