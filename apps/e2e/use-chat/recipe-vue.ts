/** A chat as a Vue ref. */
import { type Chat, toMessageText } from "@kortyx/client";
import { createApp, defineComponent, h, onScopeDispose, shallowRef } from "vue";
import { chat, offer, root } from "./recipe-chat.ts";

function useChat(chat: Chat) {
  const state = shallowRef(chat.getSnapshot());
  onScopeDispose(
    chat.subscribe((snapshot) => {
      state.value = snapshot;
    }),
  );
  onScopeDispose(chat.close);
  return state;
}

const Conversation = defineComponent(() => {
  const state = useChat(chat);
  return () => [
    h("output", state.value.status),
    state.value.messages.map((message) => h("p", { key: message.id }, toMessageText(message))),
    h("button", { onClick: () => chat.send("Hello") }, "Send"),
  ];
});

const app = createApp(Conversation);
app.mount(root);
offer(() => app.unmount());
