import type { FileMessagePart } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import type { ChatInput } from "../../src/chat/chat.ts";
import {
  delta,
  done,
  finishWith,
  flush,
  outcomeOf,
  read,
  runStart,
  setUp,
  statusesOf,
  statusOf,
  streamOf,
  watchChats,
} from "./chat-harness.ts";

watchChats();

const file = (name: string, content = name, type = "text/plain") => new File([content], name, { type });
const part = {
  type: "file",
  mediaType: "image/png",
  url: "https://files.example/a.png",
  name: "a.png",
} as const;

describe("files of a message", () => {
  test("are sent as parts after the text, a File as a data URL", async () => {
    const { chat, transport } = setUp();
    const sent = outcomeOf(chat.send({ content: "Look", files: [file("a.txt", "ä"), part] }));
    await vi.waitFor(() => expect(transport.streams).toHaveLength(1));
    const message = {
      role: "user",
      id: expect.any(String),
      content: "Look",
      parts: [
        { type: "text", text: "Look" },
        { type: "file", mediaType: "text/plain", name: "a.txt", url: "data:text/plain;base64,w6Q=" },
        part,
      ],
    };
    expect(chat.getSnapshot().messages).toEqual([message]);
    expect(streamOf(transport).body?.messages).toEqual([message]);
    await finishWith(transport, delta("Nice"), done);
    expect(sent.is).toBe("resolved");
    // In the history, too, before the route has shown that it reads parts.
    void chat.send("More");
    expect(streamOf(transport).body?.messages[0]).toEqual(message);
    await finishWith(transport, done);
  });

  test("of any size and type become data URLs", async () => {
    const bytes = Uint8Array.from({ length: 100_003 }, (_, index) => index % 256);
    const { chat, transport } = setUp({ maxHistoryBytes: Number.POSITIVE_INFINITY });
    void chat.send({ content: "", files: [new File([bytes], "b")] });
    await vi.waitFor(() => expect(transport.streams).toHaveLength(1));
    const [sent] = streamOf(transport).body!.messages[0]!.parts as FileMessagePart[];
    expect(sent).toMatchObject({ type: "file", mediaType: "application/octet-stream", name: "b" });
    const [head, base64] = sent!.url.split(",");
    expect(head).toBe("data:application/octet-stream;base64");
    expect(Buffer.from(base64!, "base64").equals(bytes)).toBe(true);
    await finishWith(transport, done);
  });

  test("that need no upload are sent at once, also without text and after other parts", async () => {
    const { chat, transport } = setUp();
    void chat.send({ content: "", files: [part] });
    expect(streamOf(transport).body?.messages[0]).toMatchObject({ content: "", parts: [part] });
    await finishWith(transport, done);
    const data = { type: "data", name: "place", data: { city: "Rome" } } as const;
    void chat.send({ content: "", parts: [data], files: [part] });
    expect(streamOf(transport).body?.messages.at(-1)?.parts).toEqual([data, part]);
    await finishWith(transport, done);
    void chat.send({ content: "Text", files: [] });
    expect(streamOf(transport).body?.messages.at(-1)).not.toHaveProperty("parts");
    await finishWith(transport, done);
  });

  test("go through uploadFile, whose fields take precedence", async () => {
    const uploadFile = vi.fn(async () => ({
      url: "https://files.example/1",
      mediaType: "text/markdown",
      providerReference: { openai: "file-1" },
    }));
    const { chat, transport } = setUp({ uploadFile });
    const given = file("a.md");
    void chat.send({ content: "Read", files: [given] });
    await vi.waitFor(() => expect(transport.streams).toHaveLength(1));
    expect(uploadFile.mock.calls).toEqual([[given, { signal: expect.any(AbortSignal) }]]);
    expect(streamOf(transport).body?.messages[0]?.parts?.[1]).toEqual({
      type: "file",
      name: "a.md",
      url: "https://files.example/1",
      mediaType: "text/markdown",
      providerReference: { openai: "file-1" },
    });
    await finishWith(transport, done);
  });

  test("that are neither a File nor a part are refused", async () => {
    const { chat, states } = setUp();
    for (const files of [["a.png"], [null], [{ name: "a.png" }]]) {
      await expect(chat.send({ content: "Look", files } as never)).rejects.toMatchObject({
        code: "invalid-message",
        message: 'Cannot send these files: expected each to be a File, or { type: "file", mediaType, url }.',
      });
    }
    await expect(chat.send({ content: " ", files: [] } as ChatInput)).rejects.toMatchObject({
      code: "empty-message",
    });
    expect(statusesOf(states)).toEqual(["ready"]);
  });
});

describe("a file whose URL is relative, or could run as a program,", () => {
  const refusals = [
    ["/files/1", "a URL without a scheme"],
    ["", "a URL without a scheme"],
    [undefined, "a URL without a scheme"],
    [" https://files.example/1", "a URL without a scheme"],
    ["JavaScript:alert(1)", '"JavaScript:" with what may be a program'],
    ["data:text/html,<script>", '"data:" with what may be a program'],
  ] as const;

  test("is refused before its message is added, uploaded or not", async () => {
    for (const [url, got] of refusals) {
      const refusal = {
        name: "ChatStateError",
        code: "invalid-message",
        message: `Cannot send the file a.txt: expected an absolute URL, such as one with https: or data:; got ${got}.`,
      };
      const { chat, transport } = setUp({ uploadFile: () => ({ url: url as string }) });
      await expect(chat.send({ content: "Look", files: [file("a.txt")] })).rejects.toMatchObject(refusal);
      const given = { type: "file", mediaType: "text/plain", name: "a.txt", url: url ?? "" } as const;
      await expect(chat.send({ content: "Look", files: [given] })).rejects.toMatchObject(refusal);
      await expect(chat.send({ content: "Look", parts: [given] })).rejects.toMatchObject(refusal);
      expect(chat.getSnapshot()).toMatchObject({ status: "ready", messages: [], error: refusal });
      expect(transport.streams).toHaveLength(0);
    }
  });

  test("may have no URL if its provider has it", async () => {
    const { chat, transport } = setUp();
    const atProvider = { ...part, url: "", providerReference: { openai: "file-1" } };
    await expect(
      chat.send({ content: "Look", files: [{ ...atProvider, providerReference: {} }] }),
    ).rejects.toMatchObject({ code: "invalid-message" });
    void chat.send({ content: "", files: [atProvider] });
    expect(streamOf(transport).body?.messages[0]?.parts).toEqual([atProvider]);
    await finishWith(transport, done);
  });
});

/** A chat that waits for an upload, which the test ends. */
function setUpUploading(options: Parameters<typeof setUp>[0] = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{ url: string }>();
  const uploadFile = vi.fn((_file: File, _options: { signal: AbortSignal }) => promise);
  const all = setUp({ ...options, uploadFile });
  const sent = outcomeOf(all.chat.send({ content: "Look", files: [file("a.txt")] }));
  const { signal } = uploadFile.mock.calls[0]![1];
  return { ...all, sent, resolve, reject, signal };
}

describe("while a file is uploaded", () => {
  test("the chat is busy, and shows the message when it is sent", async () => {
    const { chat, transport, resolve, states } = setUpUploading();
    expect(statusOf(chat)).toBe("submitted");
    for (const refused of [chat.send("More"), chat.regenerate(), chat.setMessages([])]) {
      await expect(refused).rejects.toMatchObject({ code: "busy" });
    }
    await chat.resume();
    expect(read(chat)).toEqual([]);
    resolve({ url: "https://files.example/1" });
    await flush();
    expect(read(chat)).toEqual(["Look"]);
    await finishWith(transport, runStart("run-1"), delta("Nice"), done);
    expect(statusesOf(states)).toEqual(["ready", "submitted", "streaming", "ready"]);
    expect(transport.streams).toHaveLength(1);
  });

  test("a failure refuses the message, which can be sent again", async () => {
    const { chat, transport, reject, sent } = setUpUploading();
    const full = new Error("The storage is full.");
    reject(full);
    await flush();
    expect(sent.is).toBe(full);
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: full, messages: [] });
    expect(transport.streams).toHaveLength(0);
    void chat.send("Without the file");
    expect(statusOf(chat)).toBe("submitted");
    await finishWith(transport, done);
  });

  test("a failure leaves the status of an answer that has failed before", async () => {
    const { chat, transport } = setUp({
      uploadFile: () => Promise.reject(new Error("The storage is full.")),
    });
    void chat.send("Hello");
    const offline = new Error("offline");
    streamOf(transport).fail(offline);
    await flush();
    await expect(chat.send({ content: "Look", files: [file("a.txt")] })).rejects.toThrow("full");
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: { message: "The storage is full." } });
    await chat.setMessages([]);
    expect(chat.getSnapshot()).toMatchObject({ status: "error", error: offline });
  });

  test("stop, close and clear abort it, and nothing is sent", async () => {
    for (const method of ["stop", "close", "clear"] as const) {
      const { chat, transport, resolve, sent, signal } = setUpUploading();
      void chat[method]();
      expect(signal.aborted).toBe(true);
      expect(statusOf(chat)).toBe("ready");
      await flush();
      expect(sent.is).toBe("resolved");
      resolve({ url: "https://files.example/1" });
      await flush();
      expect(transport.streams).toHaveLength(0);
      expect(read(chat)).toEqual([]);
    }
  });

  test("another message can be sent right after a stop, with a file too", async () => {
    const { chat, transport, resolve } = setUpUploading();
    void chat.stop();
    void chat.send("Instead");
    resolve({ url: "https://files.example/1" });
    await finishWith(transport, delta("All right"), done);
    expect(read(chat)).toEqual(["Instead", "(done) All right"]);

    const first = Promise.withResolvers<never>();
    const uploads = [first.promise, new Promise<never>(() => {})];
    const other = setUp({ uploadFile: () => uploads.shift()! });
    void other.chat.send({ content: "Look", files: [file("a.txt")] });
    first.reject(new Error("late"));
    void other.chat.stop();
    void other.chat.send({ content: "Instead", files: [file("b.txt")] });
    await flush();
    expect(statusOf(other.chat)).toBe("submitted");
    await other.chat.stop();
    expect(statusOf(other.chat)).toBe("ready");
  });

  test("a run that is being looked for is left, as for any message", async () => {
    const { chat, transport } = setUp({ uploadFile: () => new Promise<never>(() => {}) });
    void chat.resume();
    await flush();
    void chat.send({ content: "Look", files: [file("a.txt")] });
    expect(streamOf(transport).signal.aborted).toBe(true);
    await chat.stop();
  });
});
