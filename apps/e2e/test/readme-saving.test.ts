/** The snippets of the READMEs and docs that save conversations keep what the page shows, through every kind of request. */
import {
  type ChatOptions,
  createChat,
  type InterruptPart,
  type StoredMessage,
  toMessageText,
  type UIMessage,
} from "@kortyx/client";
import { afterAll, expect, test } from "vitest";
import { listen, until } from "./live-server.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("readme-saving");
process.env.MESSAGES_FILE = ":memory:";
process.env.RUNS_FILE = ":memory:";
process.env.RESUME_SECRET = "a secret of more than 32 characters";
afterAll(() => folder.remove());

const [savingSnippet, sqlSnippet] = snippetsOf("docs/saving.md") as [string, string];

/** A route of a page that saves conversations. A new chat has only what a page has after a reload: JSON from the server. */
async function savingRoute(name: string, code: string) {
  type Saving = {
    POST(request: Request): Promise<Response>;
    loadMessages: (owner: string, sessionId: string) => StoredMessage[];
  };
  const { POST, loadMessages }: Saving = await folder.run(name, code);
  const server = await listen(POST);
  const sessionId = crypto.randomUUID();
  const stored = (): UIMessage[] => JSON.parse(JSON.stringify(loadMessages("ann", sessionId)));
  const cookie = { cookie: "session=ann" };
  const openChat = (tools?: ChatOptions["tools"]) =>
    createChat({
      endpoint: server.url,
      headers: cookie,
      sessionId,
      initialMessages: stored(),
      tools,
    });
  const headers = { "content-type": "application/json", ...cookie };
  const statusOf = async (body: object) =>
    (await fetch(server.url, { method: "POST", headers, body: JSON.stringify(body) })).status;
  return { sessionId, openChat, stored, statusOf, close: () => server.close() };
}

const approvals = () => savingRoute("approvals.ts", snippetsOf("docs/approvals.md")[0]!);
const callsOf = (message: UIMessage | undefined) =>
  message?.role === "assistant" ? message.parts.filter((part) => part.type === "tool-call") : [];

test("both snippets that save conversations do it alike", () => {
  const [inPage] = snippetsOf("docs/approvals.md");
  const saving = savingSnippet.slice(savingSnippet.indexOf("  loadMessage("));
  expect(saving).toContain("onFinish");
  expect(inPage).toContain(saving);
});

for (const [name, open] of [
  ["docs/saving.md in memory", () => savingRoute("saving-again.ts", savingSnippet)],
  ["docs/saving.md in SQL", () => savingRoute("saving-sql.ts", sqlSnippet)],
  ["docs/approvals.md", approvals],
] as const) {
  test(`${name} saves a regenerated answer and an edited question in place of the old ones`, async () => {
    const { openChat, stored, close } = await open();
    const chat = openChat();
    for (const question of ["One", "Two", "Three"]) await chat.send(question);
    const shown = () => chat.getSnapshot().messages.map(({ id, role }) => [role, id]);
    const saved = () => stored().map(({ id, role }) => [role, id]);
    expect(saved()).toEqual(shown());
    await chat.regenerate();
    expect(saved()).toEqual(shown());
    expect(saved()).toHaveLength(6);
    const { id } = chat.getSnapshot().messages[2]!;
    await chat.send({ id, content: "Other" });
    expect(saved()).toEqual(shown());
    expect(
      stored()
        .map(toMessageText)
        .filter((_, index) => index % 2 === 0),
    ).toEqual(["One", "Other"]);
    const reloaded = openChat();
    await reloaded.regenerate();
    expect(stored().map(({ id }) => id)).toEqual(reloaded.getSnapshot().messages.map(({ id }) => id));
    expect(stored()).toHaveLength(4);
    await close();
  });
}

test("the route of docs/approvals.md keeps one whole message through decisions, a tool of the page and reloads", async () => {
  const { openChat, stored, close } = await approvals();
  const asking = openChat();
  await asking.send("the dinner");
  expect(asking.getSnapshot().interrupts).toHaveLength(2);
  const print = () => "printed";
  const deciding = openChat({ print: { execute: print } });
  const [dinner, taxi] = callsOf(deciding.getSnapshot().messages.at(-1));
  // Only both decisions together are sent.
  deciding.edit(dinner!, { euros: 25 });
  expect(deciding.getSnapshot().interrupts.map(({ toolCallId }) => toolCallId)).toEqual([taxi!.toolCallId]);
  await deciding.deny(taxi!, "I walk.");
  await until(() => callsOf(stored().at(-1))[2]?.state === "done", "the tool of the page has run");
  expect(deciding.getSnapshot().error).toBeUndefined();
  const expected = [
    { state: "done", input: { euros: 25, for: "the dinner" }, content: "25 € are on their way." },
    { state: "denied", input: { euros: 50 }, errorMessage: "I walk." },
    { tool: "print", state: "done", content: "printed" },
  ];
  expect(callsOf(stored().at(-1))).toMatchObject(expected);
  const shown = JSON.parse(JSON.stringify(deciding.getSnapshot().messages));
  expect(stored()).toMatchObject(shown);
  expect(stored().map(({ role }) => role)).toEqual(["user", "assistant"]);
  await close();
});

test("the agent of docs/approvals.md acts once, on its own call, and refuses an input that it cannot use", async () => {
  const { sessionId, openChat, stored, statusOf, close } = await approvals();
  const chat = openChat();
  await chat.send("the dinner");
  const otherTab = openChat();
  const [question, other] = chat.getSnapshot().interrupts;
  await chat.respond([{ interrupt: question!, answer: "approve" }]);
  const { id: messageId } = chat.getSnapshot().messages.at(-1)!;
  const calls = () => callsOf(chat.getSnapshot().messages.at(-1));
  expect(calls()).toMatchObject([
    { state: "done", content: "20 € are on their way." },
    { state: "awaiting-approval" },
    {},
  ]);
  const answers = ({ requestId, resumeToken }: InterruptPart) => [
    { requestId, resumeToken, answer: "approve" },
  ];
  const messages = [{ role: "user", content: "Hello" }];
  const again = { messages, sessionId, messageId, resumes: answers(question!) };
  expect(await statusOf(again)).toBe(409);
  expect(await statusOf({ ...again, sessionId: "t" })).toBe(403);
  type Tabs = { followOtherTabs(chat: typeof otherTab, load: () => Promise<UIMessage[]>): () => void };
  const { followOtherTabs } = await folder.run<Tabs>("tabs.ts", snippetsOf("docs/approvals.md")[1]!);
  let loads = 0;
  const leave = followOtherTabs(otherTab, async () => {
    loads += 1;
    return stored();
  });
  await otherTab.respond([{ interrupt: question!, answer: "approve" }]);
  const shown = () => JSON.stringify(otherTab.getSnapshot().messages);
  await until(() => shown() === JSON.stringify(stored()), "the other tab shows what is stored");
  expect(otherTab.getSnapshot().error?.message).toBe(
    "This question has already been answered, perhaps in another tab.",
  );
  expect(loads).toBe(1);
  leave();
  await chat.edit({ toolCallId: other!.toolCallId! }, { euros: "many" });
  expect(calls()[1]).toMatchObject({ state: "error", errorMessage: "Only up to 100 € can be transferred." });
  await close();
});
