/**
 * What an answer has beside its text: its steps, and in them, folded, calls of tools and the thoughts of a model; and
 * structured objects while they grow.
 */
import type { InterruptChunk, StepPart, StructuredDataPart, TextPart, ToolCallPart } from "@kortyx/client";
import { memo, type ReactNode } from "react";
import type { ReadingList } from "../agent/write-answer.ts";
import type { ChatActions } from "./chat-actions.ts";
import { Button, Icon, SafeLink } from "./elements.tsx";
import { ApprovalForm } from "./questions.tsx";

const states: Record<ToolCallPart["state"], string> = {
  "input-streaming": "Preparing",
  running: "Running",
  "awaiting-approval": "Needs approval",
  "awaiting-client": "Waiting for this page",
  done: "Done",
  error: "Failed",
  denied: "Denied",
  interrupted: "Interrupted",
};

export interface ToolCardProps {
  part: ToolCallPart;
  /** The question about the call, until it is answered. */
  question: Readonly<InterruptChunk> | undefined;
  /** Whether the call may continue now. */
  isOpen: boolean;
  actions: ChatActions;
}

export const ToolCard = memo(function ToolCard({ part, question, isOpen, actions }: ToolCardProps) {
  const { tool, state, input, inputText, content, structuredContent, errorMessage } = part;
  return (
    <div className="card" data-testid="tool-call" data-state={state}>
      <FoldedCard icon="tool" name={tool.replaceAll("_", " ") || "tool"} gist={gistOf(part)} state={state}>
        <Value name="Input" value={input ?? inputText} />
        <Value name="Result" value={content} />
        <Value name="Data" value={structuredContent} />
      </FoldedCard>
      {errorMessage !== undefined && <p className="card-error">{errorMessage}</p>}
      {question && <ApprovalForm call={part} question={question} actions={actions} />}
      {isOpen && !question && state === "awaiting-approval" && (
        <p className="card-body muted">Decided. Your decisions are sent together, with the last one.</p>
      )}
      {isOpen && state === "awaiting-client" && (
        <div className="card-body">
          <Button onClick={actions.runTools}>Run it here</Button>
        </div>
      )}
    </div>
  );
});

export const ReasoningCard = memo(function ReasoningCard({ part: { text, state } }: { part: TextPart }) {
  return (
    <div className="card" data-testid="reasoning">
      <FoldedCard icon="thought" name="reasoning" state={state === "streaming" ? "running" : "done"}>
        <p className="prose">{text}</p>
      </FoldedCard>
    </div>
  );
});

export const StepHeading = ({ name, state }: Pick<StepPart, "state"> & { name: string }) => (
  <h3 className="step label" data-state={state}>
    {name}
  </h3>
);

interface FoldedCardProps {
  icon: "tool" | "thought";
  name: string;
  gist?: string;
  state: ToolCallPart["state"];
  children: ReactNode;
}

const FoldedCard = ({ icon, name, gist, state, children }: FoldedCardProps) => (
  <details>
    <summary className="card-title">
      <Icon name={icon} />
      <span className="card-name one-line">{name}</span>
      <span className="card-gist one-line">{gist}</span>
      <span className="state" data-state={state}>
        {states[state]}
      </span>
      <Icon name="chevron" />
    </summary>
    <div className="card-body">{children}</div>
  </details>
);

function Value({ name, value }: { name: string; value: unknown }) {
  if (value === undefined) return null;
  return (
    <>
      <h3 className="label">{name}</h3>
      <pre>{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>
    </>
  );
}

/** The part of the input that distinguishes this call from others. */
function gistOf({ input, inputText }: ToolCallPart): string {
  if (typeof input !== "object" || input === null) return inputText.slice(-80);
  const texts = Object.values(input).filter((value) => typeof value === "string");
  return texts.join(" · ").slice(0, 120);
}

export interface StructuredCardProps {
  part: StructuredDataPart;
  /** Whether its answer is still growing. */
  isGrowing: boolean;
}

/** As a list where the page knows its type, otherwise as JSON. */
export const StructuredCard = memo(function StructuredCard({ part, isGrowing }: StructuredCardProps) {
  const { dataType, data, status } = part;
  const state = status === "done" ? "done" : isGrowing ? "running" : "interrupted";
  const list = dataType === "reading-list" && isReadingList(data) ? data : undefined;
  return (
    <div className="card structured" data-testid="structured-data" data-state={state}>
      <header className="card-title">
        <h3 className="card-name one-line">{list?.title ?? dataType.replaceAll("-", " ")}</h3>
        {state !== "done" && (
          <span className="state" data-state={state}>
            {state === "running" ? "Growing" : "Not complete"}
          </span>
        )}
      </header>
      {list ? (
        <ReadingListView list={list} />
      ) : (
        <pre className="card-body">{JSON.stringify(data, null, 2)}</pre>
      )}
    </div>
  );
});

/** A list begins with its title, and gets its items later. */
type GrowingList = Pick<ReadingList, "title"> & Partial<ReadingList>;

const ReadingListView = ({ list: { items = [] } }: { list: GrowingList }) => (
  <ol className="reading-list">
    {items.map(({ heading, page, url, summary }, index) => (
      <li key={index}>
        <p>
          <SafeLink url={url}>{heading}</SafeLink>
          <span className="muted">{page}</span>
        </p>
        <p className="muted">{summary}</p>
      </li>
    ))}
  </ol>
);

/** The data of a stream is whatever its agent sent. */
function isReadingList(data: unknown): data is GrowingList {
  const { title, items = [] } = (data ?? {}) as Partial<GrowingList>;
  return (
    typeof title === "string" &&
    Array.isArray(items) &&
    items.every((item) =>
      [item?.heading, item?.page, item?.url, item?.summary].every((field) => typeof field === "string"),
    )
  );
}
