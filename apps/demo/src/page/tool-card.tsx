/** A tool call: what was called, how it stands, and on demand what went in and came out. */
import type { ToolCallPart } from "@kortyx/client";
import { memo } from "react";
import { DataTree } from "./data-tree.tsx";
import { ChevronIcon, ToolIcon } from "./icons.tsx";

/** What the demo's search returns. */
interface SearchHit {
  path: string;
  heading: string;
  score: number;
}

export const ToolCard = memo(function ToolCard({ part }: { part: ToolCallPart }) {
  const { tool, state, input, inputText, content, structuredContent, errorMessage } = part;
  return (
    <div className="card tool" data-testid="tool-call" data-state={state}>
      <details>
        <summary>
          <ToolIcon />
          <span className="card-name">{tool === "" ? "Tool" : tool.replaceAll("_", " ")}</span>
          <span className="card-gist">{gistOf(part)}</span>
          <span className="card-state" data-state={state}>
            {describeState(part)}
          </span>
          <ChevronIcon />
        </summary>
        <div className="card-body">
          <h3>Input</h3>
          {input === undefined ? <pre className="wrapped">{inputText}</pre> : <DataTree value={input} />}
          {content !== undefined && (
            <>
              <h3>Result</h3>
              {isSearchHits(content) ? <SearchHits hits={content} /> : <DataTree value={content} />}
            </>
          )}
          {structuredContent !== undefined && (
            <>
              <h3>Data</h3>
              <DataTree value={structuredContent} />
            </>
          )}
        </div>
      </details>
      {errorMessage !== undefined && <p className="card-error">{errorMessage}</p>}
    </div>
  );
});

function SearchHits({ hits }: { hits: SearchHit[] }) {
  return (
    <ol className="hits">
      {hits.map(({ path, heading, score }) => (
        <li key={`${path} ${heading} ${score}`}>
          <span>
            <strong>{heading}</strong> {path}
          </span>
          <span title="Score">{score.toFixed(1)}</span>
        </li>
      ))}
    </ol>
  );
}

/** The one thing that tells this call from others. */
function gistOf({ state, input, inputText }: ToolCallPart): string {
  if (input === undefined) return state === "input-streaming" ? inputText.slice(-80) : inputText.slice(0, 80);
  const values = typeof input === "object" && input !== null ? Object.values(input) : [input];
  return values
    .filter((value) => typeof value === "string")
    .join(" · ")
    .slice(0, 120);
}

function describeState({ state, content }: ToolCallPart): string {
  switch (state) {
    case "input-streaming":
      return "Preparing";
    case "running":
      return "Running";
    case "done":
      if (!isSearchHits(content)) return "Done";
      return content.length === 1 ? "1 section" : `${content.length} sections`;
    case "error":
      return "Failed";
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
