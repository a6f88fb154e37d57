/**
 * Scenes in which Solid delays, hides or discards a component with a chat. Written like the output of Solid's compiler,
 * which is not part of the build here.
 */

import { useChat } from "virtual:readme-solid";
import { toMessageText } from "@kortyx/client";
import {
  type Component,
  createComponent,
  createMemo,
  createRenderEffect,
  createResource,
  createSignal,
  type JSX,
  mapArray,
  Suspense,
  startTransition,
} from "solid-js";
import { insert } from "solid-js/web";

/** A child, or a function that returns it and is called again when it changes. */
type Child = JSX.Element | (() => Child | undefined);

function element(name: string, attributes: Record<string, () => string>, ...children: Child[]) {
  const node = document.createElement(name);
  for (const [key, read] of Object.entries(attributes)) {
    createRenderEffect(() => node.setAttribute(key, read()));
  }
  for (const child of children) insert(node, child as JSX.Element, null);
  return node;
}

function button(name: string, onClick: (event: Event) => unknown) {
  const node = element("button", { type: () => "button" }, name);
  node.addEventListener("click", onClick);
  return node;
}

const loading = (children: () => JSX.Element) =>
  createComponent(Suspense, {
    get fallback() {
      return element("i", {}, "Loading");
    },
    get children() {
      return children();
    },
  });

function Conversation(props: { waitsFor?: () => string | undefined }) {
  const { state, send, stop } = useChat({ endpoint: "/api/chat" });
  return element(
    "section",
    { "aria-label": () => "chat", "data-status": () => state().status },
    () => props.waitsFor?.(),
    mapArray(
      () => state().messages,
      (message) => element("p", {}, toMessageText(message)),
    ),
    () => state().error && element("p", { role: () => "alert" }, () => state().error?.message),
    button("Send", () => send("Hello")),
    button("Stop", stop),
  );
}

/** Sends before it is shown, and is never ready. */
function Waiting() {
  const { send } = useChat({ endpoint: "/api/chat" });
  send("Hello");
  const [never] = createResource(() => new Promise<string>(() => {}));
  return element("p", {}, () => never());
}

/** A child that a button removes and restores. */
const removable = (render: () => JSX.Element) => () => {
  const [isShown, setShown] = createSignal(true);
  const child = createMemo(() => (isShown() ? render() : undefined));
  return [button("Toggle", () => setShown(!isShown())), child as unknown as JSX.Element];
};

/** A component that suspends again while its answer is streaming. */
function SuspendedAgain() {
  const [count, setCount] = createSignal(0);
  let open = () => {};
  const [value] = createResource(count, (now) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    open = () => resolve("");
    if (now === 0) open();
    return promise;
  });
  return [
    button("Suspend", () => setCount(count() + 1)),
    button("Suspend later", () => startTransition(() => setCount(count() + 1))),
    button("Continue", () => open()),
    loading(() => createComponent(Conversation, { waitsFor: value })),
  ];
}

export const scenes = {
  removed: removable(() => createComponent(Conversation, {})),
  suspended: removable(() => loading(() => createComponent(Waiting, {}))),
  "suspended-again": SuspendedAgain,
} satisfies Record<string, Component>;
