/**
 * Scenes in which React cleans effects up and runs them again, or never commits a render, and in which a component
 * switches to another chat or keeps its own.
 */
import type { UIMessage } from "@kortyx/client";
import { useChat } from "@kortyx/client/react";
import * as React from "react";
import { type ComponentType, Suspense, startTransition, useEffect, useRef, useState } from "react";
import { createSignatureFunctionForTransform, performReactRefresh, register } from "react-refresh/runtime";
import { Conversation, endpoint, said } from "./conversation.tsx";

function Button({ name, onClick }: { name: string; onClick: () => void }) {
  return (
    <button type="button" onClick={() => onClick()}>
      {name}
    </button>
  );
}

function Own({ resumeOnMount }: { resumeOnMount: boolean }) {
  const sessionId = resumeOnMount ? "session-1" : undefined;
  return <Conversation name="chat" chat={useChat({ endpoint, sessionId, resumeOnMount })} />;
}

/** The first question comes from elsewhere, such as a form on the previous page. */
function FirstQuestion() {
  const chat = useChat({ endpoint });
  const isSent = useRef(false);
  useEffect(() => {
    if (isSent.current) return;
    isSent.current = true;
    void chat.send("Hello");
  }, [chat.send]);
  return <Conversation name="chat" chat={chat} />;
}

let toolRuns = 0;
/** Each run returns its number, so that the server sees how many there were. */
const tools = { count: { execute: () => ++toolRuns } };

function ToolOfThePage() {
  return <Conversation name="chat" chat={useChat({ endpoint, tools })} />;
}

/** `shown`, `hidden` or `removed`, set by three buttons. */
function HideAndSeek({ first, resumeOnMount }: { first: "shown" | "hidden"; resumeOnMount: boolean }) {
  const [state, setState] = useState<"shown" | "hidden" | "removed">(first);
  return (
    <>
      <Button name="Show" onClick={() => setState("shown")} />
      <Button name="Hide" onClick={() => setState("hidden")} />
      <Button name="Remove" onClick={() => setState("removed")} />
      {state !== "removed" && (
        <React.Activity mode={state === "shown" ? "visible" : "hidden"}>
          <Own resumeOnMount={resumeOnMount} />
        </React.Activity>
      )}
    </>
  );
}

/** A promise that a component can suspend on by throwing it. */
interface Gate {
  isOpen: boolean;
  promise: Promise<void>;
  open(): void;
}

function createGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  const gate: Gate = {
    isOpen: false,
    promise,
    open() {
      gate.isOpen = true;
      resolve();
    },
  };
  return gate;
}

function waitFor(gate: Gate | undefined): void {
  if (gate && !gate.isOpen) throw gate.promise;
}

function Neighbour({ gate }: { gate: Gate | undefined }) {
  waitFor(gate);
  return null;
}

function OwnThatWaits({ gate }: { gate: Gate | undefined }) {
  const chat = useChat({ endpoint, sessionId: "session-1", resumeOnMount: true });
  waitFor(gate);
  return <Conversation name="chat" chat={chat} />;
}

function Suspended({ who, first }: { who: "itself" | "neighbour"; first?: Gate }) {
  const [gate, setGate] = useState<Gate | undefined>(first);
  const [isShown, setShown] = useState(true);
  return (
    <>
      <Button name="Suspend" onClick={() => setGate(createGate())} />
      <Button name="Continue" onClick={() => gate?.open()} />
      <Button name="Remove" onClick={() => setShown(false)} />
      {isShown && (
        <Suspense fallback={<i>Loading</i>}>
          {who === "itself" ? (
            <OwnThatWaits gate={gate} />
          ) : (
            <>
              <Own resumeOnMount={false} />
              <Neighbour gate={gate} />
            </>
          )}
        </Suspense>
      )}
    </>
  );
}

/** Never resolves. */
const never = createGate();

function InSession({ sessionId }: { sessionId: string }) {
  const chat = useChat({ endpoint, sessionId });
  waitFor(sessionId === "two" ? never : undefined);
  return <Conversation name="chat" chat={chat} />;
}

/** A render that React begins but never commits. */
function Transition() {
  const [sessionId, setSessionId] = useState("one");
  return (
    <>
      <Button name="Go" onClick={() => startTransition(() => setSessionId("two"))} />
      <Button name="Back" onClick={() => setSessionId("one")} />
      <Suspense fallback={<i>Loading</i>}>
        <InSession sessionId={sessionId} />
      </Suspense>
    </>
  );
}

/** The component as a bundler prepares it for Fast Refresh; a change of `hooks` resets its state. */
function createEdition(title: string, hooks: string) {
  const sign = createSignatureFunctionForTransform();
  function Edition() {
    sign();
    const chat = useChat({ endpoint, sessionId: "session-1", resumeOnMount: true });
    return (
      <>
        <h1>{title}</h1>
        <Conversation name="chat" chat={chat} />
      </>
    );
  }
  sign(Edition, hooks);
  register(Edition, "Edition");
  return Edition;
}

const FirstEdition = createEdition("First", "a");

/** An edit of its source: only of the text, or also of the hooks, which makes React remount it. */
function Refreshed() {
  const edit = (hooks: string) => {
    createEdition("Second", hooks);
    performReactRefresh();
  };
  return (
    <>
      <Button name="Edit text" onClick={() => edit("a")} />
      <Button name="Edit hooks" onClick={() => edit("b")} />
      <FirstEdition />
    </>
  );
}

/** Any earlier session of the chat can be set again. */
function Sessions() {
  const [sessionId, setSessionId] = useState<string>();
  const [key, setKey] = useState(1);
  const [seen, setSeen] = useState<string[]>([]);
  return (
    <>
      <Button name="Set newest" onClick={() => setSessionId(seen.at(-1))} />
      <Button name="Set oldest" onClick={() => setSessionId(seen[0])} />
      <Button name="Set none" onClick={() => setSessionId(undefined)} />
      <Button name="Set other" onClick={() => setSessionId("other")} />
      <Button name="Change key" onClick={() => setKey(key + 1)} />
      <SessionChat
        key={key}
        sessionId={sessionId}
        giveSession={setSessionId}
        onSession={(id) => setSeen((before) => (before.includes(id) ? before : [...before, id]))}
      />
    </>
  );
}

interface SessionChatProps {
  sessionId: string | undefined;
  giveSession: (sessionId: string | undefined) => void;
  onSession: (sessionId: string) => void;
}

function SessionChat(props: SessionChatProps) {
  const chat = useChat({ endpoint, sessionId: props.sessionId });
  useEffect(() => {
    if (chat.sessionId) props.onSession(chat.sessionId);
  }, [chat.sessionId, props.onSession]);
  /** Before React has rendered it. */
  const sendAndSet = () => {
    chat.send("Hello");
    props.giveSession(chat.chat.getSnapshot().sessionId);
  };
  return (
    <>
      <Button name="Send and set" onClick={sendAndSet} />
      <Button name="Clear" onClick={chat.clear} />
      <Conversation name="chat" chat={chat} />
    </>
  );
}

/** Follows the session of the chat, like an application that keeps it in its URL. */
function SessionInUrl() {
  const [sessionId, setSessionId] = useState<string>();
  const chat = useChat({ endpoint, sessionId });
  useEffect(() => setSessionId(chat.sessionId), [chat.sessionId]);
  return (
    <>
      <Button name="Clear" onClick={chat.clear} />
      <Conversation name="chat" chat={chat} />
    </>
  );
}

/** Two components, each with its own chat in the same session. */
function SameSession() {
  const [isShown, setShown] = useState(true);
  return (
    <>
      <Button name="Toggle" onClick={() => setShown(!isShown)} />
      {isShown && <InSameSession name="first" />}
      <InSameSession name="second" />
    </>
  );
}

function InSameSession({ name }: { name: string }) {
  const chat = useChat({ endpoint, sessionId: "session-1" });
  return <Conversation name={name} chat={chat} />;
}

/** The history is loaded after the first render. */
function LaterHistory() {
  const [past, setPast] = useState<UIMessage[]>([]);
  const isLoaded = past.length > 0;
  const chat = useChat({
    endpoint,
    sessionId: "session-1",
    initialMessages: [...past],
    resumeOnMount: isLoaded && location.search === "?resume",
  });
  return (
    <>
      <Button name="Load" onClick={() => setPast([said("Earlier")])} />
      <Button name="Clear" onClick={chat.clear} />
      <Button name="Forget" onClick={() => chat.setMessages((messages) => messages.slice(0, -1))} />
      <SendsOnce when={isLoaded && location.search === "?send"} send={chat.send} />
      <Conversation name="chat" chat={chat} />
    </>
  );
}

/** A child's effects run before those of the component with the history. */
function SendsOnce({ when, send }: { when: boolean; send: (text: string) => unknown }) {
  const isSent = useRef(false);
  useEffect(() => {
    if (!when || isSent.current) return;
    isSent.current = true;
    send("Hello");
  }, [when, send]);
  return null;
}

/** Every action, called by a button as an event handler. */
function Handlers() {
  const chat = useChat({ endpoint, runs: true, sessionId: "session-1" });
  const names = ["stop", "send", "respond", "regenerate", "setMessages", "resume", "clear", "close"] as const;
  return (
    <>
      {names.map((name) => (
        <button key={name} type="button" onClick={chat[name] as () => void}>
          {`Call ${name}`}
        </button>
      ))}
      <output>{chat.error && "code" in chat.error && `${chat.error.code}`}</output>
      <Conversation name="chat" chat={chat} />
    </>
  );
}

export const lifecycleScenes = {
  "first-question": FirstQuestion,
  "tool-of-the-page": ToolOfThePage,
  "hide-and-seek": () => <HideAndSeek first="shown" resumeOnMount={false} />,
  "hidden-first": () => <HideAndSeek first="hidden" resumeOnMount />,
  "suspended-itself": () => <Suspended who="itself" />,
  "suspended-by-neighbour": () => <Suspended who="neighbour" />,
  "suspended-first": () => <Suspended who="itself" first={createGate()} />,
  transition: Transition,
  refreshed: Refreshed,
  "given-sessions": Sessions,
  "session-in-url": SessionInUrl,
  "same-session": SameSession,
  "later-history": LaterHistory,
  handlers: Handlers,
} satisfies Record<string, ComponentType>;
