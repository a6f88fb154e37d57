import { toMessageText } from "@kortyx/client";
import { useChat } from "@kortyx/client/react";

// In the address, so that a reload and other tabs show the same answer.
location.hash ||= crypto.randomUUID();
const options = { endpoint: "/api/chat", runs: true, resumeOnMount: true, sessionId: location.hash.slice(1) };

export default function App() {
  const { messages, status, error, send, stop } = useChat(options);
  const isBusy = status !== "ready" && status !== "error";
  return (
    <main>
      <h1>Chat</h1>
      <div role="log" aria-busy={isBusy}>
        {messages.map((message) => (
          <p key={message.id}>
            <b>{message.role === "user" ? "You" : "Agent"}:</b> {toMessageText(message)}
          </p>
        ))}
      </div>
      {error && <p role="alert">{error.message}</p>}
      <form
        action={(form) => {
          send(String(form.get("question")));
        }}
      >
        <input name="question" aria-label="Question" required />
        <button type="submit" disabled={isBusy}>
          Send
        </button>
        <button type="button" disabled={!isBusy} onClick={stop}>
          Stop
        </button>
      </form>
    </main>
  );
}
