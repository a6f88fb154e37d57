/** What becomes of a subagent of AG-UI: data of the answer. */
import type { StreamChunk } from "@kortyx/protocol";
import { isRecord } from "./loose-values.ts";

type Fields = Record<string, unknown>;

/** A subagent as data of the answer, which later events about it replace. */
export function toSubagent(event: Fields): StreamChunk {
  const { type, subagentRunId, outcome } = event;
  const { type: ended = undefined, interruptIds } = isRecord(outcome) ? outcome : {};
  const state =
    type === "SUBAGENT_STARTED"
      ? "running"
      : type === "SUBAGENT_ERROR"
        ? "error"
        : ended === "suspended"
          ? "waiting"
          : "done";
  const fields = pick(event, [
    "name",
    "description",
    "parentSubagentRunId",
    "parentToolCallId",
    "parentMessageId",
    "result",
    "message",
    "code",
  ]);
  const data = {
    state,
    ...fields,
    ...(interruptIds !== undefined && { interruptIds }),
    ...(ended === "success" && { outcome: "success" }),
  };
  return { type: "data", name: "subagent", id: String(subagentRunId), data };
}

/** @returns the fields with these names, if they have a value. */
export const pick = (event: Fields, names: string[]): Fields =>
  Object.fromEntries(names.filter((name) => event[name] !== undefined).map((name) => [name, event[name]]));
