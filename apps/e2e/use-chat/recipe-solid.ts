/** A chat as a Solid signal. */
import { type ChatSnapshot, toMessageText } from "@kortyx/client";
import { For, from, onCleanup } from "solid-js";
import h from "solid-js/h";
import { render } from "solid-js/web";
import { chat, offer, root } from "./recipe-chat.ts";

type Message = ChatSnapshot["messages"][number];

function Conversation() {
  const state = from(chat, chat.getSnapshot());
  onCleanup(chat.close);
  return h(
    "main",
    h("output", () => state().status),
    h(For, { each: () => state().messages }, (message: Message) => h("p", toMessageText(message))),
    h("button", { onClick: () => chat.send("Hello") }, "Send"),
  );
}

offer(render(h(Conversation) as unknown as () => Element, root));
