/** `fromLangGraph` over a graph in this process, whose model streams the answer. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessageChunk, type AIMessageChunkFields } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import { MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { fromLangGraph } from "../../packages/server/dist/langgraph.js";
import { answer, calls } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";

const pieces: AIMessageChunkFields[] = [
  ...answer.reasoning.map((thinking) => ({ content: [{ type: "thinking", thinking, index: 0 }] })),
  ...answer.text.map((text) => ({ content: [{ type: "text", text, index: 1 }] })),
  ...calls.flatMap(({ id, name, pieces }, index) => [
    { content: [], tool_call_chunks: [{ id, name, args: "", index }] },
    ...pieces.map((args) => ({ content: [], tool_call_chunks: [{ args, index }] })),
  ]),
];

class AnswerModel extends BaseChatModel {
  constructor() {
    super({});
  }

  _llmType(): string {
    return "answer";
  }

  async _generate(): Promise<ChatResult> {
    throw new Error("This model only streams.");
  }

  override async *_streamResponseChunks(
    _messages: unknown,
    _options: unknown,
    manager?: Parameters<BaseChatModel["_streamResponseChunks"]>[2],
  ): AsyncGenerator<ChatGenerationChunk> {
    for (const fields of pieces) {
      const message = new AIMessageChunk({ ...fields, id: "m1" });
      const chunk = new ChatGenerationChunk({ message, text: message.text });
      yield chunk;
      await manager?.handleLLMNewToken(chunk.text, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

export const implementation: Implementation = {
  title: "`fromLangGraph`",
  packages: ["@langchain/langgraph", "@langchain/core"],
  form: '`for await (const chunk of fromLangGraph(graph.stream(…, { streamMode: ["messages", "updates"] })))`',

  compare() {
    const model = new AnswerModel();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
      .addEdge(START, "agent")
      .compile();
    const input = { messages: [{ role: "user", content: "Hi" }] };
    const ask = () =>
      graph.stream(input, {
        streamMode: ["messages" as const, "updates" as const],
        subgraphs: true as const,
      });
    return { bare: ask, ours: () => fromLangGraph(ask()), units: pieces.length };
  },
};
