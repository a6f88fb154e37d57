/** What a model says to itself before it answers: there for whoever wants to read it. */
import type { TextPart } from "@kortyx/client";
import { memo } from "react";
import { ChevronIcon, ThoughtIcon } from "./icons.tsx";

export const ReasoningText = memo(function ReasoningText({ part }: { part: TextPart }) {
  return (
    <details className="card reasoning">
      <summary>
        <ThoughtIcon />
        <span className="card-name">Reasoning</span>
        <span className="card-state" data-state={part.state === "streaming" ? "running" : "done"}>
          {part.state === "streaming" ? "Thinking" : "Done"}
        </span>
        <ChevronIcon />
      </summary>
      <p className="card-body">{part.text}</p>
    </details>
  );
});
