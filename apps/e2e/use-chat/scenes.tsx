/** The components that the tests of the hook show in a page, one for each situation, rendered by name. */
import { createChat, toMessageText } from "@kortyx/client";
import { type UseChatResult, useChat } from "@kortyx/client/react";
import { type ComponentType, useEffect, useState } from "react";
import { Conversation, counts, endpoint, said } from "./conversation.tsx";
import { lifecycleScenes } from "./lifecycle-scenes.tsx";

function Plain() {
  counts.renders++;
  return <Conversation name="chat" chat={useChat({ endpoint })} />;
}

function Resumed() {
  return (
    <Conversation name="chat" chat={useChat({ endpoint, sessionId: "session-1", resumeOnMount: true })} />
  );
}

function LaterResumed() {
  const [resumeOnMount, setResumed] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setResumed(!resumeOnMount)}>
        Toggle
      </button>
      <Conversation name="chat" chat={useChat({ endpoint, sessionId: "session-1", resumeOnMount })} />
    </>
  );
}

/** Rendered on a server and hydrated in the page. */
function Restored() {
  const initialMessages = [said("Earlier")];
  return <Conversation name="chat" chat={useChat({ endpoint, sessionId: "session-1", initialMessages })} />;
}

function Removable() {
  const [isShown, setShown] = useState(true);
  return (
    <>
      <button type="button" onClick={() => setShown(!isShown)}>
        Toggle
      </button>
      {isShown && <Plain />}
    </>
  );
}

const sharedChat = createChat({ endpoint });

function Sharing({ name }: { name: string }) {
  return <Conversation name={name} chat={useChat(sharedChat)} />;
}

function Shared() {
  const [isShown, setShown] = useState(true);
  return (
    <>
      <button type="button" onClick={() => setShown(!isShown)}>
        Toggle
      </button>
      {isShown && <Sharing name="first" />}
      <Sharing name="second" />
    </>
  );
}

function OwnOrShared() {
  const [isShared, setShared] = useState(false);
  const chat = useChat(isShared ? sharedChat : { endpoint, sessionId: "own" });
  return (
    <>
      <button type="button" onClick={() => setShared(!isShared)}>
        Toggle
      </button>
      <Conversation name="chat" chat={chat} />
    </>
  );
}

function Sessions() {
  const [sessionId, setSessionId] = useState("one");
  const [finished, setFinished] = useState<string[]>([]);
  const chat = useChat({
    endpoint,
    sessionId,
    initialMessages: [said(`In ${sessionId}`)],
    onFinish: () => setFinished((before) => [...before, sessionId]),
  });
  return (
    <>
      <button type="button" onClick={() => setSessionId(sessionId === "one" ? "two" : "one")}>
        Toggle
      </button>
      <output>{finished.join()}</output>
      <Conversation name="chat" chat={chat} />
    </>
  );
}

/** Options that close over state; each must be that of the last render. */
function LatestOptions() {
  const [version, setVersion] = useState(1);
  const [finished, setFinished] = useState<string[]>([]);
  const chat = useChat({
    endpoint: () => `${endpoint}?version=${version}`,
    headers: { "x-version": `${version}` },
    context: { version },
    onFinish: () => setFinished((before) => [...before, `v${version}`]),
  });
  return (
    <>
      <button type="button" onClick={() => setVersion(version + 1)}>
        Toggle
      </button>
      <output>{finished.join()}</output>
      <Conversation name="chat" chat={chat} />
    </>
  );
}

function SendsByItself({ version, send }: { version: number; send: UseChatResult["send"] }) {
  useEffect(() => {
    if (version === 2) void send("Hello");
  }, [version, send]);
  return null;
}

/** A child's effects run before those of the component that uses the hook. */
function Eager() {
  const [version, setVersion] = useState(1);
  const chat = useChat({ endpoint, headers: { "x-version": `${version}` } });
  return (
    <>
      <button type="button" onClick={() => setVersion(version + 1)}>
        Toggle
      </button>
      <SendsByItself version={version} send={chat.send} />
      <Conversation name="chat" chat={chat} />
    </>
  );
}

/** As in an application: nothing is sent while an answer is in progress, and no typed text is lost. */
function Form() {
  const { messages, status, send, stop } = useChat({ endpoint });
  const isBusy = status !== "ready" && status !== "error";
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isBusy) return;
        void send(String(new FormData(event.currentTarget).get("question")));
        event.currentTarget.reset();
      }}
    >
      <section aria-label="chat" data-status={status}>
        {messages.map((message) => (
          <p key={message.id}>{toMessageText(message)}</p>
        ))}
      </section>
      <input name="question" />
      <button type="button" onClick={stop} disabled={!isBusy}>
        Stop
      </button>
    </form>
  );
}

export const scenes = {
  ...lifecycleScenes,
  plain: Plain,
  resumed: Resumed,
  "later-resumed": LaterResumed,
  restored: Restored,
  removable: Removable,
  shared: Shared,
  "own-or-shared": OwnOrShared,
  sessions: Sessions,
  "latest-options": LatestOptions,
  eager: Eager,
  form: Form,
} satisfies Record<string, ComponentType>;

export type SceneName = keyof typeof scenes;
