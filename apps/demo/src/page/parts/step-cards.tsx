/** The steps of an agent on the way to its answer, folded: calls of tools, and the thoughts of a model. */
import type { TextPart, ToolCallPart } from "@kortyx/client";
import { memo, type ReactNode } from "react";
import { Icon } from "../icon.tsx";

const states: Record<ToolCallPart["state"], string> = {
  "input-streaming": "Preparing",
  running: "Running",
  "awaiting-approval": "Waiting for approval",
  "awaiting-client": "Waiting",
  done: "Done",
  error: "Failed",
  denied: "Denied",
  interrupted: "Interrupted",
};

export const ToolCard = memo(function ToolCard({ part }: { part: ToolCallPart }) {
  const { tool, state, input, inputText, content, structuredContent, errorMessage } = part;
  return (
    <div className="card" data-testid="tool-call" data-state={state}>
      <Step icon="search" name={tool.replaceAll("_", " ") || "tool"} gist={gistOf(part)} state={state}>
        <Value name="Input" value={input ?? inputText} />
        <Value name="Result" value={content} />
        <Value name="Data" value={structuredContent} />
      </Step>
      {errorMessage !== undefined && <p className="card-error">{errorMessage}</p>}
    </div>
  );
});

export const ReasoningCard = memo(function ReasoningCard({ part: { text, state } }: { part: TextPart }) {
  return (
    <div className="card" data-testid="reasoning">
      <Step icon="thought" name="reasoning" state={state === "streaming" ? "running" : "done"}>
        <p className="reasoning">{text}</p>
      </Step>
    </div>
  );
});

interface StepProps {
  icon: "search" | "thought";
  name: string;
  gist?: string;
  state: ToolCallPart["state"];
  children: ReactNode;
}

const Step = ({ icon, name, gist, state, children }: StepProps) => (
  <details>
    <summary>
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
