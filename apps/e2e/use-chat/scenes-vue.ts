/** Scenes in which Vue keeps, hides, delays or edits a component with a chat. */

import { useChat } from "virtual:readme-vue";
import { toMessageText } from "@kortyx/client";
import { type Component, defineComponent, h, KeepAlive, ref, Suspense, Transition, type VNode } from "vue";

const button = (name: string, onClick: unknown) => h("button", { type: "button", onClick }, name);

/** @param ready - The promise that the component waits for before it can be shown. */
function setUpConversation() {
  const { state, send, stop } = useChat({ endpoint: "/api/chat" });
  return () => {
    const { messages, status, sessionId, error } = state.value;
    return h("section", { "aria-label": "chat", "data-status": status, "data-session": sessionId }, [
      ...messages.map((message) => h("p", { key: message.id }, toMessageText(message))),
      error && h("p", { role: "alert" }, error.message),
      button("Send", () => void send("Hello")),
      // Vue logs the rejection of a handler's promise.
      button("Stop", () => void stop()),
    ]);
  };
}

const Conversation = defineComponent({ setup: setUpConversation });

/** Sends before it is mounted, and is never ready. */
const Waiting = defineComponent({
  async setup() {
    const { send } = useChat({ endpoint: "/api/chat" });
    void send("Hello");
    await new Promise(() => {});
    return () => null;
  },
});

/** A child that a button removes and restores. */
const removable = (render: (isShown: boolean) => VNode) =>
  defineComponent(() => {
    const isShown = ref(true);
    const toggle = () => {
      isShown.value = !isShown.value;
    };
    return () => [button("Toggle", toggle), render(isShown.value)];
  });

const hmrId = "conversation";
const Edited = defineComponent({ __hmrId: hmrId, setup: setUpConversation } as object) as Component;

interface Hmr {
  createRecord(id: string, component: Component): void;
  rerender(id: string, render: () => VNode): void;
}
const hmr = (globalThis as { __VUE_HMR_RUNTIME__?: Hmr }).__VUE_HMR_RUNTIME__;
hmr?.createRecord(hmrId, Edited);

const Editable = defineComponent(() => () => [
  button("Edit template", () => hmr?.rerender(hmrId, () => h("h1", "Edited"))),
  h(Edited),
]);

export const scenes = {
  plain: Conversation,
  "kept-alive": removable((isShown) => h(KeepAlive, () => (isShown ? h(Conversation) : undefined))),
  removed: removable((isShown) => h("main", isShown ? h(Conversation) : undefined)),
  // Its element stays for a minute after the component is unmounted.
  leaving: removable((isShown) =>
    h(Transition, { duration: 60_000 }, () => (isShown ? h(Conversation) : undefined)),
  ),
  suspended: removable((isShown) =>
    h(
      "main",
      isShown ? h(Suspense, null, { default: () => h(Waiting), fallback: () => "Loading" }) : undefined,
    ),
  ),
  edited: Editable,
} satisfies Record<string, Component>;
