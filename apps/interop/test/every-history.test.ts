/** Any history, with the readers of the AI SDK and of LangChain. */
import { toModelMessages } from "@kortyx/server/ai-sdk";
import { toLangChainMessages } from "@kortyx/server/langgraph";
import { describe, expect, test } from "vitest";
import { forAnyHistory } from "../../../packages/server/test/adapters/histories.ts";
import { isInstalled } from "../install.ts";
import { finishPart, scriptModel, textParts } from "./kit/ai-sdk-model.ts";

const { streamText } = isInstalled() ? await import("ai") : ({} as never);
const { coerceMessageLikeToMessage } = isInstalled()
  ? await import("@langchain/core/messages")
  : ({} as never);

describe.skipIf(!isInstalled())("any history", () => {
  test("is accepted by the AI SDK, and every call that reaches the provider has an input and a result", async () => {
    const check = async (messages: Parameters<typeof toModelMessages>[0]) => {
      const { model, prompts } = scriptModel([...textParts("Hi"), finishPart("stop")]);
      const said = toModelMessages(messages);
      if (said.length === 0) return;
      const errors: unknown[] = [];
      const result = streamText({
        model,
        messages: said,
        allowSystemInMessages: true,
        experimental_download: async (files) =>
          files.map(() => ({ data: new Uint8Array(1), mediaType: "image/png" })),
        onError: ({ error }) => errors.push(error),
      });
      await result.consumeStream({ onError: (error) => errors.push(error) });
      expect(errors).toEqual([]);
      const open = new Set<string>();
      for (const { content } of prompts[0] as { content: unknown }[]) {
        for (const part of Array.isArray(content) ? content : []) {
          if (part.type === "tool-call") expect(part.input ?? undefined).toBeDefined();
          if (part.type === "tool-call" && !part.providerExecuted) open.add(part.toolCallId);
          if (part.type === "tool-result") open.delete(part.toolCallId);
        }
      }
      expect([...open]).toEqual([]);
    };
    await forAnyHistory(300, check);
  });

  test("is read by LangChain, and every call has a result", async () => {
    const check = (messages: Parameters<typeof toLangChainMessages>[0]) => {
      const read = toLangChainMessages(messages).map((message) =>
        coerceMessageLikeToMessage(message as never),
      );
      const open: string[] = [];
      for (const message of read) {
        if (message.type === "tool") {
          const id = (message as unknown as { tool_call_id: string }).tool_call_id;
          expect(open.splice(open.indexOf(id), 1)).toEqual([id]);
          continue;
        }
        expect(open).toEqual([]);
        const { tool_calls = [] } = message as unknown as { tool_calls?: { id: string; args: unknown }[] };
        for (const { id, args } of tool_calls) {
          open.push(id);
          expect(args).toBeTypeOf("object");
        }
        expect(message.content !== "" || tool_calls.length > 0).toBe(true);
      }
      expect(open).toEqual([]);
    };
    await forAnyHistory(500, check);
  });
});
