/** A chat is a Svelte store: `$chat` in a component, `get` and `derived` everywhere. */
import type { ChatSnapshot } from "@kortyx/client";
import { mount, unmount } from "svelte";
import { derived, get, type Readable } from "svelte/store";
import Conversation from "./recipe.svelte";
import { chat, offer, root } from "./recipe-chat.ts";

const store: Readable<ChatSnapshot> = chat;
const count = derived(store, ({ messages }) => messages.length);
const component = mount(Conversation, { target: root });
offer(() => {
  root.setAttribute("data-count", `${get(count)}`);
  void unmount(component);
});
