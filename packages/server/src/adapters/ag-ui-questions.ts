/** Interrupts of AG-UI, as questions. Reads no answers. */
import type { InterruptChunk } from "@kortyx/protocol";
import { recordsOf, stringOf } from "./ag-ui-events.ts";
import { nodeOf } from "./ag-ui-reader.ts";
import { isRecord } from "./loose-values.ts";

type Fields = Record<string, unknown>;

/** The interrupts of a run's outcome. */
export const toQuestions = (interrupts: unknown): InterruptChunk[] => recordsOf(interrupts).map(toQuestion);

function toQuestion(interrupt: Fields): InterruptChunk {
  const { id, reason, message, toolCallId, responseSchema, expiresAt, metadata } = interrupt;
  const until = typeof expiresAt === "string" ? Date.parse(expiresAt) : Number.NaN;
  const agui = {
    ...(responseSchema !== undefined && { responseSchema }),
    ...(isRecord(metadata) && { metadata }),
  };
  const approval = typeof toolCallId === "string" ? toApproval(stringOf(message), responseSchema) : undefined;
  return {
    type: "interrupt",
    requestId: String(id),
    resumeToken: approval ? approvalTokenOf(String(id)) : String(id),
    input: approval ?? toInput(stringOf(message), responseSchema),
    ...(typeof toolCallId === "string" && { toolCallId }),
    ...(typeof reason === "string" && { reason }),
    ...(!Number.isNaN(until) && { expiresAt: until }),
    meta: { agui },
    ...nodeOf(interrupt),
  };
}

/** The token of a question whose answer an agent of AG-UI reads as `{ approved }`. */
export const approvalTokenOf = (id: string): string => `approved:${id}`;

const approvalFields = ["approved", "reason", "editedArgs"];

/** A question about a call that a person lets run or not. @returns undefined if the agent asks for something else. */
function toApproval(question = "", schema: unknown): InterruptChunk["input"] | undefined {
  const properties = isRecord(schema) ? schema.properties : { approved: true };
  if (!isRecord(properties) || properties.approved === undefined) return undefined;
  if (!Object.keys(properties).every((name) => approvalFields.includes(name))) return undefined;
  const options = [
    { id: "approve", label: "Approve" },
    { id: "deny", label: "Deny" },
    ...(properties.editedArgs === undefined ? [] : [{ id: "edit", label: "Edit" }]),
  ];
  return { kind: "choice", multiple: false, question, options };
}

/** A choice where the schema lists texts; otherwise a text, or JSON of the schema. */
function toInput(question: string | undefined, schema: unknown): InterruptChunk["input"] {
  const asked = question === undefined ? {} : { question };
  if (!isRecord(schema)) return { kind: "text", multiple: false, ...asked };
  const one = optionsOf(schema);
  if (one) return { kind: "choice", multiple: false, question: question ?? "", options: one };
  const several = schema.type === "array" && isRecord(schema.items) ? optionsOf(schema.items) : undefined;
  if (several) return { kind: "multi-choice", multiple: true, question: question ?? "", options: several };
  const isText = schema.type === "string" && Object.keys(schema).length === 1;
  return isText ? { kind: "text", multiple: false, ...asked } : { kind: "json", schema, ...asked };
}

function optionsOf({ enum: values }: Fields) {
  const isList =
    Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === "string");
  return isList ? values.map((id: string) => ({ id, label: id })) : undefined;
}
