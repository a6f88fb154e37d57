/** Any conversation of a model, tools and a user: what must hold, whatever each of them does. */
import {
  type AssistantUIMessage,
  createMessageAccumulator,
  type InterruptAnswer,
  type StreamChunk,
} from "@kortyx/protocol";
import { toChatMessage } from "@kortyx/protocol/internal";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import type { ChatAgentOptions } from "../../src/route/chat-agent.ts";
import { defineTool } from "../../src/tools/define-tool.ts";
import { runTools } from "../../src/tools/run-tools.ts";
import { collect, scriptTurns, text, user } from "./scripted-turns.ts";

const kinds = ["read", "pay", "locate", "photo", "broken", "missing", "invalid"] as const;

/** Some ids are those of earlier turns, as some providers give them. */
const turn = fc.record({
  calls: fc.array(fc.constantFrom(...kinds), { maxLength: 4 }),
  reusesIds: fc.boolean(),
});
const decisions = fc.array(fc.constantFrom("approve", "deny", "edit", "cancel", "ignore"), {
  minLength: 40,
  maxLength: 40,
});

test("every call is settled once, none runs that is not allowed, and the model is called only when none waits", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  await fc.assert(
    fc.asyncProperty(
      fc.array(turn, { minLength: 1, maxLength: 4 }),
      decisions,
      fc.constantFrom("stored", "sent"),
      async (turns, decided, store) => {
        const scripts = turns.map(({ calls, reusesIds }, number) => ({
          chunks: [text(`Turn ${number}.`)],
          calls: calls.map((kind, index) => ({
            tool: kind === "invalid" ? "pay" : kind,
            toolCallId: reusesIds ? `${index}` : `${number}-${index}`,
            input: kind === "invalid" ? { euros: "a lot" } : { euros: number * 10 + index },
          })),
        }));
        await playConversation([...scripts, { chunks: [text("The end.")], calls: [] }], [...decided], store);
      },
    ),
    { numRuns: 150 },
  );
  vi.restoreAllMocks();
});

async function playConversation(
  scripts: Parameters<typeof scriptTurns>,
  decided: string[],
  store: "stored" | "sent",
): Promise<void> {
  const paid: number[] = [];
  const allowed: number[] = [];
  const pay = defineTool({
    description: "",
    inputSchema: z.object({ euros: z.number() }),
    needsApproval: true,
    canEdit: true,
    run: ({ euros }) => void paid.push(euros),
  });
  const broken = defineTool({ description: "", run: () => Promise.reject(new Error("broken")) });
  const tools = {
    pay,
    broken,
    read: defineTool({ description: "", run: () => "read" }),
    locate: defineTool({ description: "" }),
    photo: defineTool({ description: "", needsApproval: true }),
  };
  const { turn, turns } = scriptTurns(...scripts);
  let shown: AssistantUIMessage = { id: "run-1", role: "assistant", parts: [], status: "done" };
  const request = async (options: ChatAgentOptions): Promise<StreamChunk[]> => {
    const sent = toChatMessage(shown, "parts");
    const messages = sent ? [user("Hi"), sent] : [user("Hi")];
    const chunks = await collect(runTools({ messages, options, tools, turn }));
    const accumulator = createMessageAccumulator<never, AssistantUIMessage>(shown);
    for (const chunk of chunks) accumulator.apply(chunk);
    shown = accumulator.message;
    return chunks;
  };

  await request({});
  for (let round = 0; shown.finishReason === "interrupt" || shown.finishReason === "tool-calls"; round++) {
    expect(round).toBeLessThan(60);
    const before = turns.length;
    const resumes = (shown.interrupts ?? []).flatMap(
      ({ requestId, resumeToken, toolCallId }): InterruptAnswer[] => {
        const decision = decided.shift() ?? "approve";
        if (decision === "ignore") return [];
        const call = shown.parts.findLast(
          (part) => part.type === "tool-call" && part.toolCallId === toolCallId,
        );
        const euros = Object((call as { input?: unknown }).input).euros;
        const isPay = call?.type === "tool-call" && call.tool === "pay";
        if (isPay && decision === "approve") allowed.push(euros);
        if (isPay && decision === "edit") allowed.push(-euros);
        if (decision === "cancel")
          return [{ requestId, resumeToken, toolCallId, outcome: "cancelled" as const }];
        return [{ requestId, resumeToken, toolCallId, answer: decision, input: { euros: -euros } }];
      },
    );
    const toolResults = shown.parts.flatMap((part) =>
      part.type === "tool-call" && part.state === "awaiting-client" && decided.shift() !== "ignore"
        ? [{ toolCallId: part.toolCallId, tool: part.tool, content: "done" }]
        : [],
    );
    const continued = store === "stored" ? shown : undefined;
    await request({ trigger: "continue", messageId: "run-1", continued, resumes, toolResults });
    const waits = shown.parts.some((part) => part.type === "tool-call" && part.state.startsWith("awaiting"));
    if (turns.length === before) expect(waits).toBe(true);
  }

  expect(paid.toSorted()).toEqual(allowed.toSorted());
  expect(shown.interrupts).toBeUndefined();
  const states = shown.parts.flatMap((part) => (part.type === "tool-call" ? part.state : []));
  expect(states.filter((state) => !["done", "error", "denied"].includes(state))).toEqual([]);
  // Each turn has seen a conversation in which no call was open.
  for (const { messages } of turns) {
    const seen = messages.flatMap(({ parts = [] }) => parts);
    const open = seen.filter(
      (part) => part.type === "tool-call" && !["done", "error", "denied"].includes(part.state),
    );
    expect(open).toEqual([]);
  }
  expect(shown.parts.filter(({ type }) => type === "step").length).toBe(turns.length);
}
