/** A tool call: what was called, how it stands, and on demand what went in and came out. */
import type { ToolCallPart } from "@kortyx/client";
import { memo } from "react";
import { ChevronIcon, SearchIcon } from "./icons.tsx";

/** What the demo's search returns. */
interface SearchHit {
  path: string;
  heading: string;
  score: number;
}

export const ToolCard = memo(function ToolCard({ part }: { part: ToolCallPart }) {
  const { tool, state, input, content } = part;
  const query = (input as { query?: unknown } | null | undefined)?.query;
  return (
    <details className="tool" data-testid="tool-call" data-state={state}>
      <summary>
        <SearchIcon />
        <code>{tool}</code>
        <span className="tool-state">{describeState(part)}</span>
        <ChevronIcon />
      </summary>
      <div className="tool-body">
        <h3>Input</h3>
        <p>{typeof query === "string" ? query : toJson(input)}</p>
        {content !== undefined && <h3>Result</h3>}
        {content !== undefined && <ToolContent content={content} />}
      </div>
    </details>
  );
});

function ToolContent({ content }: { content: unknown }) {
  if (!isSearchHits(content)) return <p>{typeof content === "string" ? content : toJson(content)}</p>;
  return (
    <ol>
      {content.map(({ path, heading, score }) => (
        <li key={`${path} ${heading} ${score}`}>
          <span>
            <strong>{heading}</strong> {path}
          </span>
          <output aria-label="Score">{score.toFixed(1)}</output>
        </li>
      ))}
    </ol>
  );
}

function describeState({ state, content, errorMessage }: ToolCallPart): string {
  switch (state) {
    case "input-streaming":
    case "running":
      return "Running";
    case "done":
      if (!isSearchHits(content)) return typeof content === "string" ? content : "Done";
      return content.length === 1 ? "1 section" : `${content.length} sections`;
    case "error":
      return errorMessage ?? "Failed";
    case "interrupted":
      return "Interrupted";
  }
}

/** A tool's result is whatever the tool said. */
function isSearchHits(content: unknown): content is SearchHit[] {
  return (
    Array.isArray(content) &&
    content.every(
      (hit) =>
        typeof hit?.path === "string" && typeof hit.heading === "string" && typeof hit.score === "number",
    )
  );
}

const toJson = (value: unknown): string => (value === undefined ? "" : JSON.stringify(value));
