/** A chat model of LangChain that streams a script: to be imported only where LangChain is installed. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessageChunk, type AIMessageChunkFields, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";

/** The fields of one piece, or what happens in its place. */
export type ScriptedPiece = PieceFields | (() => Promise<void>);

interface PieceFields {
  content: string | { type: string; [field: string]: unknown }[];
  id?: string;
  tool_call_chunks?: { id?: string | undefined; name?: string | undefined; args: string; index: number }[];
  usage_metadata?: { input_tokens: number; output_tokens: number; total_tokens: number };
  response_metadata?: Record<string, unknown>;
}

export class ScriptedModel extends BaseChatModel {
  /** What the model was asked, in order. */
  readonly asked: BaseMessage[][] = [];
  readonly #turns: ScriptedPiece[][];

  constructor(...turns: ScriptedPiece[][]) {
    super({});
    this.#turns = turns;
  }

  _llmType(): string {
    return "scripted";
  }

  override bindTools(): this {
    return this;
  }

  async _generate(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    manager?: Parameters<BaseChatModel["_generate"]>[2],
  ): Promise<ChatResult> {
    let all: ChatGenerationChunk | undefined;
    for await (const piece of this._streamResponseChunks(messages, options, manager)) {
      all = all ? all.concat(piece) : piece;
    }
    const { message, text } = all ?? { message: new AIMessageChunk(""), text: "" };
    return { generations: [{ message, text }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    { signal }: this["ParsedCallOptions"],
    manager?: Parameters<BaseChatModel["_generate"]>[2],
  ): AsyncGenerator<ChatGenerationChunk> {
    this.asked.push(messages);
    for (const piece of this.#turns.shift() ?? []) {
      signal?.throwIfAborted();
      if (typeof piece === "function") {
        await piece();
        continue;
      }
      const message = new AIMessageChunk(piece as AIMessageChunkFields);
      const chunk = new ChatGenerationChunk({ message, text: message.text });
      yield chunk;
      await manager?.handleLLMNewToken(chunk.text, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}
