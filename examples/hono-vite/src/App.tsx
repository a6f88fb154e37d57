import { toMessageText } from "@kortyx/client";
import { useChat } from "@kortyx/client/react";

export default function App() {
  const { messages, status, error, send, stop } = useChat({ endpoint: "/api/chat" });
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
