import { createChat, toMessageText } from "@kortyx/client";
import { from, Index, onCleanup, Show } from "solid-js";
import { render } from "solid-js/web";

function Chat() {
  const chat = createChat({ endpoint: "/api/chat" });
  onCleanup(chat.close);
  const state = from(chat, chat.getSnapshot());
  const isBusy = () => state().status !== "ready" && state().status !== "error";
  const send = (event: SubmitEvent & { currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    chat.send(String(new FormData(event.currentTarget).get("question")));
    event.currentTarget.reset();
  };
  return (
    <main>
      <h1>Chat</h1>
      <div role="log" aria-busy={isBusy()}>
        <Index each={state().messages}>
          {(message) => (
            <p>
              <b>{message().role === "user" ? "You" : "Agent"}:</b> {toMessageText(message())}
            </p>
          )}
        </Index>
      </div>
      <Show when={state().error}>{(error) => <p role="alert">{error().message}</p>}</Show>
      <form onSubmit={send}>
        <input name="question" aria-label="Question" required />
        <button type="submit" disabled={isBusy()}>
          Send
        </button>
        <button type="button" disabled={!isBusy()} onClick={chat.stop}>
          Stop
        </button>
      </form>
    </main>
  );
}

render(() => <Chat />, document.querySelector("#root")!);
