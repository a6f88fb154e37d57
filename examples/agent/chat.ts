/** A conversation with the agent in a terminal: what a page does, in few lines. */
import { createInterface } from "node:readline/promises";
import { createChat, toMessageText, type UIMessage } from "@kortyx/client";

const server = process.env.AGENT ?? "http://127.0.0.1:3000";
const sessionId = process.argv[2] ?? "terminal";

const history = await fetch(`${server}/api/messages?session=${encodeURIComponent(sessionId)}`);
const initialMessages: UIMessage[] = await history.json();
const chat = createChat({ endpoint: `${server}/api/chat`, sessionId, initialMessages, runs: true });
for (const message of initialMessages) console.info(`${message.role}: ${toMessageText(message)}`);

const terminal = createInterface({ input: process.stdin, output: process.stdout });
terminal.setPrompt("> ");
terminal.prompt();
for await (const line of terminal) {
  const [question] = chat.getSnapshot().interrupts;
  const toolCallId = question?.toolCallId;
  if (toolCallId === undefined) await chat.send(line);
  else if (line === "y") await chat.approve({ toolCallId });
  else await chat.deny({ toolCallId });
  show();
  terminal.prompt();
}

/** What the agent has said, or asks. */
function show(): void {
  const { messages, interrupts, error } = chat.getSnapshot();
  const [question] = interrupts;
  if (error) console.info(`(${error.message})`);
  else if (question) console.info(`${question.input.question} (y/n)`);
  else console.info(toMessageText(messages.at(-1)!));
}
