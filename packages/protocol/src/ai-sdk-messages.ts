/**
 * A message of the AI SDK as one of a request of ours. What has a strange shape is passed on, for the parser of the body
 * to report.
 */
import { ownMetadataOf, withoutOwn } from "./ai-sdk-metadata.ts";
import { isRecord } from "./chunk-shape.ts";

type Fields = Record<string, unknown>;

/** A message as a client sends it: only `parts` is sure to be a list. */
export interface AISDKMessage extends Fields {
  parts: unknown[];
}

/** Whether a part is a tool call: `tool-<name>` or `dynamic-tool`. */
export function isToolPart(part: unknown): part is Fields & { type: string } {
  if (!isRecord(part) || typeof part.type !== "string") return false;
  return part.type === "dynamic-tool" || (part.type.startsWith("tool-") && part.toolCallId !== undefined);
}

/** @param isLast - Nothing follows: what waits in it still does. */
export function toChatMessage({ parts: given, metadata, ...rest }: AISDKMessage, isLast: boolean): Fields {
  const steps = { count: 0 };
  const parts = given.flatMap((part) => toPart(part, steps, isLast));
  const message: Fields = { ...rest, content: toContent(given) };
  if (hasMoreThanText(parts)) message.parts = parts;
  const own = withoutOwn(metadata);
  if (own !== undefined) message.metadata = own;
  return message;
}

/** The texts, with a blank line between those that are not one. */
function toContent(parts: unknown[]): string {
  let content = "";
  for (const part of parts) {
    if (!isRecord(part) || part.type !== "text" || typeof part.text !== "string" || part.text === "")
      continue;
    const isContinuation = ownMetadataOf(part.providerMetadata).isContinuation === true;
    content += (content === "" || isContinuation ? "" : "\n\n") + part.text;
  }
  return content;
}

function hasMoreThanText(parts: unknown[]): boolean {
  return parts.some(
    (part) => !isRecord(part) || (part.type !== "step" && (part.type !== "text" || part.providerMetadata)),
  );
}

/** @returns nothing for a part that only a page shows. */
function toPart(part: unknown, steps: { count: number }, isLast: boolean): unknown[] {
  if (!isRecord(part) || typeof part.type !== "string") return [part];
  if (isToolPart(part)) return toCall(part, isLast);
  const { type } = part;
  switch (type) {
    case "text":
    case "reasoning": {
      const { text } = part;
      const described = describe(part);
      return text === "" && !described.providerMetadata ? [] : [{ type, text, ...described }];
    }
    case "file":
    case "reasoning-file":
      return [toFile(part)];
    case "step-start":
      return [{ type: "step", stepId: `step-${++steps.count}` }];
    case "custom":
      return [{ type: "data", name: part.kind, data: null, ...describe(part) }];
    case "source-url":
    case "source-document":
    case "steering-message":
      return [];
    default:
      return type.startsWith("data-") ? toData(part, type.slice("data-".length)) : [part];
  }
}

/** @returns what a provider wants back. */
function describe({ providerMetadata }: Fields): Fields {
  const rest = withoutOwn(providerMetadata);
  return rest === undefined ? {} : { providerMetadata: rest };
}

function toFile(part: Fields): Fields {
  const own = ownMetadataOf(part.providerMetadata);
  const { mediaType, url, filename: name = own.name } = part;
  const { providerReference = own.providerReference } = part;
  return {
    type: "file",
    mediaType,
    url,
    ...(name !== undefined && { name }),
    ...(providerReference !== undefined && { providerReference }),
    ...describe(part),
  };
}

/** A question is answered, not sent back. */
function toData(part: Fields, name: string): Fields[] {
  const { id, data = null } = part;
  if (name === "interrupt" && isRecord(data) && data.type === "interrupt") return [];
  return [{ type: "data", name, ...(id !== undefined && { id }), data, ...describe(part) }];
}

/** @returns nothing for a call of which the input is not whole. */
function toCall(part: Fields & { type: string }, isLast: boolean): Fields[] {
  const { type, toolName, toolCallId, input, callProviderMetadata, resultProviderMetadata } = part;
  if (part.state === "input-streaming") return [];
  const own = ownMetadataOf(callProviderMetadata);
  const isDynamic = type === "dynamic-tool";
  const executor = part.providerExecuted === true ? "provider" : own.executor;
  const provider = withoutOwn(callProviderMetadata);
  const ofResult = withoutOwn(resultProviderMetadata);
  return [
    {
      type: "tool-call",
      toolCallId: own.toolCallId ?? toolCallId,
      tool: isDynamic ? toolName : type.slice("tool-".length),
      ...outcomeOf(part, executor, isLast),
      ...(input !== undefined && { input }),
      ...(executor !== undefined && { executor }),
      ...(isDynamic && { isDynamic }),
      ...(provider !== undefined && { providerMetadata: provider }),
      ...(ofResult !== undefined && { resultProviderMetadata: ofResult }),
    },
  ];
}

/** The state of a call and its result, in our words. */
function outcomeOf(part: Fields, executor: unknown, isLast: boolean): Fields {
  const { state, approval, output, errorText } = part;
  const { approved, reason } = isRecord(approval) ? approval : {};
  const own = ownMetadataOf(part.resultProviderMetadata);
  const refusal = reason == null ? {} : { errorMessage: reason };
  switch (state) {
    case "input-available":
      return { state: isLast && executor === "client" ? "awaiting-client" : "interrupted" };
    case "approval-requested":
      return { state: isLast ? "awaiting-approval" : "interrupted" };
    case "approval-responded":
      if (approved !== true) return { state: "denied", ...refusal };
      return { state: isLast ? "running" : "interrupted" };
    case "output-denied":
      return { state: "denied", ...refusal };
    case "output-error":
      return own.content === undefined
        ? { state: "error", ...(errorText !== undefined && { errorMessage: errorText }) }
        : { state: "error", content: own.content, ...pair(own) };
    case "output-available":
      if (part.preliminary === true) return { state: "interrupted" };
      return own.isPair === true && isRecord(output)
        ? { state: "done", content: output.content, ...pair(output) }
        : { state: "done", content: output ?? null };
    default:
      return { state };
  }
}

const pair = ({ structuredContent }: Fields): Fields =>
  structuredContent === undefined ? {} : { structuredContent };
