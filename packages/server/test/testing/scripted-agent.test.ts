import { expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { collectStream } from "../../src/stream/collect-stream.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";

const delta = (text: string) => ({ type: "text-delta", delta: text }) as const;
const messages = [{ role: "user" as const, content: "Hello" }];
const never = new Promise<void>(() => {});

test("each question gets the next script, and every later one the last", async () => {
  const agent = createScriptedAgent([delta("1")], [delta("2"), { type: "done" }]);
  const ask = () => collectStream(agent.streamChat(messages, {}));
  expect([await ask(), await ask(), await ask()]).toEqual([
    [delta("1")],
    [delta("2"), { type: "done" }],
    [delta("2"), { type: "done" }],
  ]);
});

test("an agent without a script is refused", () => {
  expect(() => createScriptedAgent()).toThrow(
    new TypeError("createScriptedAgent() needs at least one script."),
  );
});

test("an agent waits where its script has a promise", async () => {
  const pause = Promise.withResolvers<void>();
  const answer = createScriptedAgent([delta("1"), pause.promise, delta("2")]).streamChat(messages, {});
  expect((await answer.next()).value).toEqual(delta("1"));
  let isPending = true;
  const next = answer.next().finally(() => {
    isPending = false;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isPending).toBe(true);
  pause.resolve();
  expect((await next).value).toEqual(delta("2"));
});

test("an agent throws where its script has an error, or a promise that rejects", async () => {
  const failure = new Error("The model is busy.");
  for (const step of [failure, Promise.reject(failure)]) {
    const answer = createScriptedAgent([delta("1"), step]).streamChat(messages, {});
    await answer.next();
    await expect(answer.next()).rejects.toBe(failure);
  }
});

test("an agent records what it was asked, and which of its answers are open", async () => {
  const agent = createScriptedAgent([delta("1")], [new Error("no")], [delta("1"), delta("2")]);
  const options = { sessionId: "s" };
  const [first, second, third] = [1, 2, 3].map(() => agent.streamChat(messages, options));
  const open = { messages, options, isOpen: true };
  const closed = { messages, options, isOpen: false };
  await first!.next();
  expect(agent.calls).toEqual([open, open, open]);
  await first!.next();
  await second!.next().catch(() => {});
  expect(agent.calls).toEqual([closed, closed, open]);
  await third!.next();
  await third!.return();
  expect(agent.calls).toEqual([closed, closed, closed]);
});

test("an answer that its reader leaves before it has begun is not open", async () => {
  const agent = createScriptedAgent([delta("1")]);
  const answer = agent.streamChat(messages, {});
  await answer.return();
  expect(agent.calls[0]!.isOpen).toBe(false);
  expect(await answer.next()).toEqual({ done: true, value: undefined });
});

test("a reader that leaves ends the answer, while it waits and between two chunks", async () => {
  for (const script of [
    [delta("1"), never],
    [delta("1"), delta("2")],
  ]) {
    const agent = createScriptedAgent(script);
    const abort = new AbortController();
    const answer = agent.streamChat(messages, { signal: abort.signal });
    await answer.next();
    const next = script[1] === never ? answer.next() : undefined;
    abort.abort();
    expect(await (next ?? answer.next())).toEqual({ done: true, value: undefined });
    expect(agent.calls[0]!.isOpen).toBe(false);
  }
});

test("a wait that begins after the reader has left ends at once", async () => {
  const signal = AbortSignal.abort();
  const answer = createScriptedAgent([never, delta("1")]).streamChat(messages, { signal });
  expect(await answer.next()).toEqual({ done: true, value: undefined });
});

test("a wait that has ended leaves no listener", async () => {
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, "addEventListener");
  const removed = vi.spyOn(signal, "removeEventListener");
  for (const step of [Promise.resolve(), Promise.reject(new Error("no"))]) {
    await collectStream(createScriptedAgent([step, delta("1")]).streamChat(messages, { signal })).catch(
      () => {},
    );
  }
  expect(added).toHaveBeenCalledTimes(2);
  expect(removed.mock.calls).toEqual(added.mock.calls);
});

test("a route answers with the script", async () => {
  const agent = createScriptedAgent([delta("Hello"), { type: "done" }]);
  const request = new Request("http://host/", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ messages, sessionId: "s" }),
  });
  const response = await createChatRoute({ agent }).POST(request);
  expect(await response.text()).toContain('"delta":"Hello"');
  expect(agent.calls[0]).toMatchObject({ messages, options: { sessionId: "s" } });
});
