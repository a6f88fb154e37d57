/** Questions to the user, as interrupts of AG-UI, and the ids by which clients answer them. */

import { ownKey } from "./ag-ui-metadata.ts";
import type { AGUIInterrupt } from "./ag-ui-outcome.ts";
import { isRecord } from "./chunk-shape.ts";
import type { InterruptChunk } from "./chunks.ts";

/** What an answer has to repeat. */
export interface QuestionKey {
  requestId: string;
  resumeToken: string;
  toolCallId?: string | undefined;
}

/**
 * The id of an interrupt is all that a client sends back of it, so it holds everything that an answer has to repeat: a
 * JSON array of `requestId`, `resumeToken` and, of a question about a call, `toolCallId`. A question whose token is its id
 * keeps it as it is.
 */
export function encodeInterruptId({ requestId, resumeToken, toolCallId }: QuestionKey): string {
  if (requestId === resumeToken && parseKey(requestId) === undefined) return requestId;
  return JSON.stringify([requestId, resumeToken, ...(toolCallId === undefined ? [] : [toolCallId])]);
}

/** The reverse of {@link encodeInterruptId}. */
export const decodeInterruptId = (id: string): QuestionKey =>
  parseKey(id) ?? { requestId: id, resumeToken: id };

function parseKey(id: string): QuestionKey | undefined {
  if (!id.startsWith("[")) return undefined;
  try {
    const [requestId, resumeToken, toolCallId, ...others] = JSON.parse(id) as unknown[];
    if (typeof requestId !== "string" || typeof resumeToken !== "string" || others.length > 0)
      return undefined;
    if (toolCallId === undefined) return { requestId, resumeToken };
    return typeof toolCallId === "string" ? { requestId, resumeToken, toolCallId } : undefined;
  } catch {
    return undefined;
  }
}

/** @param call - The call that the question is about, as the client knows it. */
export function toInterrupt(
  chunk: InterruptChunk,
  call: { toolCallId: string | undefined; subagentRunId: string | undefined },
): AGUIInterrupt {
  const { reason, expiresAt, input, meta, workflow, schemaId, schemaVersion } = chunk;
  const { toolCallId, subagentRunId } = call;
  const { question } = input;
  const schema = toResponseSchema(input);
  const agui = isRecord(meta?.agui) ? meta.agui : undefined;
  const own = { input, meta, workflow, schemaId, schemaVersion };
  const metadata = agui ? agui.metadata : { [ownKey]: own };
  const responseSchema = agui ? agui.responseSchema : schema;
  return {
    id: agui ? toAgentsId(chunk) : encodeInterruptId({ ...chunk, toolCallId }),
    reason: reason ?? (toolCallId === undefined ? "input-required" : "tool-approval"),
    ...(typeof question === "string" && question !== "" && { message: question }),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(isRecord(responseSchema) && { responseSchema }),
    ...(isDate(expiresAt) && { expiresAt: new Date(expiresAt).toISOString() }),
    ...(isRecord(metadata) && { metadata }),
    ...(subagentRunId !== undefined && { subagentRunId }),
  };
}

/** An agent of AG-UI asks: its client answers in its own form, unless the route has signed the token. */
function toAgentsId({ requestId, resumeToken }: InterruptChunk): string {
  const isSigned = resumeToken !== requestId && resumeToken !== `approved:${requestId}`;
  return encodeInterruptId({ requestId, resumeToken: isSigned ? resumeToken : requestId });
}

/** Dates end in the year 275760. */
const isDate = (ms: number | undefined): ms is number =>
  ms !== undefined && !Number.isNaN(new Date(ms).getTime());

function toResponseSchema(input: InterruptChunk["input"]): Record<string, unknown> | undefined {
  switch (input.kind) {
    case "text":
      return listOf({ type: "string" }, input.multiple);
    case "choice":
    case "multi-choice": {
      const ids = { type: "string", enum: input.options.map(({ id }) => id) };
      return listOf(ids, input.multiple || input.kind === "multi-choice");
    }
    case "json":
      return input.schema && listOf(input.schema, input.multiple);
    default:
      return undefined;
  }
}

const listOf = (items: Record<string, unknown>, isList: boolean | undefined) =>
  isList ? { type: "array", items } : items;
