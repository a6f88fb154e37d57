/**
 * A message as the chunks that it is folded from, for a reader that has no part of it. The opposite of `fold-message.ts`; the
 * pieces in which it once came are not kept.
 */
import type { AssistantMessage, MessagePart, TextPart, ToolCallPart } from "./assistant-message.ts";
import type { StreamChunk } from "./chunks.ts";

/** @returns the chunks of the parts of a message, without one that ends the stream. */
export const toMessageChunks = ({ parts, metadata }: AssistantMessage): StreamChunk[] => [
  ...parts.flatMap(toPartChunks),
  ...(metadata ? [{ type: "metadata" as const, metadata: metadata as Record<string, unknown> }] : []),
];

function toPartChunks(part: MessagePart, index: number): StreamChunk[] {
  switch (part.type) {
    case "text":
    case "reasoning":
      return toTextChunks(part, index);
    case "tool-call":
      return toCallChunks(part);
    case "interrupt": {
      const { resolution, ...question } = part;
      return resolution ? [question, resolution] : [question];
    }
    case "structured-data": {
      const { dataType, streamId, data, node } = part;
      return [
        {
          type: "structured-data",
          kind: "final",
          dataType,
          streamId,
          data: data ?? null,
          ...defined({ node }),
        },
      ];
    }
    case "step":
      return [{ type: "step-start", stepId: part.stepId, ...defined({ name: part.name }) }];
    default:
      return [part];
  }
}

function toTextChunks(
  { type, text, node, citations, providerMetadata }: TextPart,
  index: number,
): StreamChunk[] {
  // Not the part's own key: a later part may have the same one.
  const origin = { segmentId: `part-${index}`, ...defined({ node }) };
  const end = defined({ providerMetadata });
  const chunks: StreamChunk[] = [{ type: `${type}-start`, ...origin }];
  if (text !== "") chunks.push({ type: `${type}-delta`, delta: text, ...origin });
  if (type === "reasoning") chunks.push({ type: "reasoning-end", ...origin, ...end });
  else chunks.push({ type: "text-end", ...origin, ...end, ...(citations && { citations: [...citations] }) });
  return chunks;
}

function toCallChunks(part: ToolCallPart): StreamChunk[] {
  const { tool, toolCallId, state, node, content, structuredContent, errorMessage, errorCode } = part;
  const { executor, title, inputFormat, parentSegmentId, isDynamic, resumeToken, providerMetadata } = part;
  const call = { tool, toolCallId, ...defined({ node }) };
  const fields = defined({ executor, title, inputFormat, parentSegmentId, isDynamic, providerMetadata });
  const chunks: StreamChunk[] = [
    part.input === undefined
      ? { type: "tool-call-start", ...call, ...fields }
      : { type: "tool-call-ready", ...call, ...fields, input: part.input, ...defined({ resumeToken }) },
  ];
  const provider = defined({ providerMetadata: part.resultProviderMetadata });
  const result = {
    type: "tool-call-result",
    ...call,
    content,
    ...defined({ structuredContent }),
    ...provider,
  } as const;
  const isResult = state === "done" || (state === "error" && errorMessage === undefined);
  if (isResult) return [...chunks, { ...result, ...(state === "error" && { isError: true }) }];
  if (content !== undefined) chunks.push({ type: "tool-call-progress", ...call, content });
  if (state === "denied")
    chunks.push({ type: "tool-call-denied", ...call, ...defined({ reason: errorMessage }) });
  if (state === "error") {
    const failure = { message: errorMessage ?? "", ...defined({ code: errorCode }), ...provider };
    chunks.push({ type: "tool-call-error", ...call, ...failure });
  }
  return chunks;
}

const defined = <Fields extends object>(fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
