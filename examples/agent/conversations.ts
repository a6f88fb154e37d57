/** The conversations, in SQLite: one row each, as the JSON of its messages. */
import type { AssistantUIMessage, ChatAgentOptions, ChatFinish, ChatMessage } from "@kortyx/server";
import { database } from "./database.ts";

type StoredMessage = ChatMessage | AssistantUIMessage;
type Finish = Pick<ChatFinish, "owner" | "sessionId" | "input" | "message">;

database.exec(`CREATE TABLE IF NOT EXISTS conversations (
  owner TEXT NOT NULL, session TEXT NOT NULL, messages TEXT NOT NULL, PRIMARY KEY (owner, session)
)`);
const select = database.prepare("SELECT messages FROM conversations WHERE owner = ? AND session = ?");
const upsert = database.prepare("INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)");

/** A whole conversation: the `initialMessages` of a page. */
export function loadMessages(owner = "", sessionId = ""): StoredMessage[] {
  const row = select.get(owner, sessionId);
  return row ? JSON.parse(String(row.messages)) : [];
}

/** The message that a request continues. */
export const loadMessage = (id: string, { owner, sessionId }: Pick<Finish, "owner" | "sessionId">) =>
  loadMessages(owner, sessionId).find(
    (message): message is AssistantUIMessage => message.role === "assistant" && message.id === id,
  );

/** The stored conversation up to the latest question of a request, which is new, repeated or changed. */
export function earlierMessages(
  messages: ChatMessage[],
  { owner, sessionId, continued }: ChatAgentOptions,
): StoredMessage[] {
  const stored = loadMessages(owner, sessionId);
  const question = messages.findLast(({ role }) => role === "user");
  return continued || !question ? stored : [...before(stored, question.id), question];
}

/** Saves the question and the answer to it, or an answer that was continued. */
export function saveAnswer({ owner, sessionId, input, message }: Finish): void {
  if (!sessionId || !message) return;
  const stored = loadMessages(owner, sessionId);
  const answer = message as AssistantUIMessage;
  const messages = input
    ? [...before(stored, input.id), input, answer]
    : stored.map((message) => (message.id === answer.id ? answer : message));
  upsert.run(owner ?? "", sessionId, JSON.stringify(messages));
}

function before(stored: StoredMessage[], id: string | undefined): StoredMessage[] {
  const index = stored.findIndex((message) => id !== undefined && message.id === id);
  return index === -1 ? stored : stored.slice(0, index);
}
