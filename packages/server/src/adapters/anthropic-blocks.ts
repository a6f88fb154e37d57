/**
 * The content of Anthropic's answer as chunks, block by block: texts, thinking, calls, and results of the tools that
 * Anthropic runs. Knows nothing of usage, and neither why the answer has ended.
 */
import type { StreamChunk } from "@kortyx/protocol";
import { AnthropicCitations, type QuotedBlock, toCitations } from "./anthropic-citations.ts";
import type {
  AnthropicBlockDelta,
  AnthropicContentBlock,
  AnthropicContentBlockDelta,
  AnthropicContentBlockStart,
  AnthropicContentBlockStop,
} from "./anthropic-events.ts";
import { invalidToolInput, type ModelToolCall, parseToolInput } from "./model-stream.ts";

/** Blocks of the beta API that only have to be returned: a chunk of data carries each whole. */
const returnedBlocks = new Set(["compaction", "fallback", "mcp_tool_listing"]);

/**
 * A text of the answer. Where it quotes something, Anthropic cuts a sentence into several blocks, so blocks that follow each
 * other are one segment.
 */
interface TextSegment {
  key: string;
  /** In UTF-16 code units, of all its blocks. */
  length: number;
  blocks: QuotedBlock[];
}

/** What is kept of a block until it stops. */
type OpenBlock =
  | { type: "text"; segment: TextSegment; citations: unknown[] }
  | { type: "thinking"; key: string; signature: string }
  | { type: "call"; toolCallId: string; tool: string; input: unknown; json: string; isOwn: boolean }
  | { type: "returned"; block: AnthropicContentBlock }
  | { type: "ignored" };

/** Writes the blocks of one answer. */
export class AnthropicBlocks {
  readonly #onUnknown: ((event: unknown) => void) | undefined;
  readonly #open = new Map<number, OpenBlock>();
  /** The tools of the calls of this answer, by the id of the call. */
  readonly #tools = new Map<string, string>();
  readonly #citations = new AnthropicCitations();
  /** A text that ends unless the next block continues it. */
  #text: TextSegment | undefined;
  /** The block that began last. */
  #newest = -1;
  readonly toolCalls: ModelToolCall[] = [];
  responseId: string = crypto.randomUUID();

  constructor(onUnknown: ((event: unknown) => void) | undefined) {
    this.#onUnknown = onUnknown;
  }

  start(event: AnthropicContentBlockStart): StreamChunk[] {
    const { index, content_block: block } = event;
    this.#newest = index;
    if (block.type === "text") return this.#startText(index, block);
    return [...this.endText(), ...this.#startOther(event)];
  }

  add(event: AnthropicContentBlockDelta): StreamChunk[] {
    const open = this.#open.get(event.index);
    const chunks = open && this.#addTo(open, event.delta);
    if (!chunks) this.#onUnknown?.(event);
    return chunks ?? [];
  }

  stop({ index }: AnthropicContentBlockStop): StreamChunk[] {
    const open = this.#open.get(index);
    this.#open.delete(index);
    switch (open?.type) {
      case "text": {
        const { segment, citations } = open;
        const isEmpty = segment.length === (segment.blocks.at(-1)?.end ?? 0) && citations.length === 0;
        const block = { end: segment.length, ...(citations.length > 0 && { citations }) };
        if (!isEmpty) segment.blocks.push(block);
        const ended = this.endText();
        this.#text = segment;
        // Something else has begun in the meantime.
        return index === this.#newest ? ended : [...ended, ...this.endText()];
      }
      case "thinking":
        return [endThinking(open)];
      case "call":
        return [this.#endCall(open)];
      case "returned":
        return [this.#toData(index, open.block)];
      default:
        return [];
    }
  }

  /** Ends the text that is whole unless another block continues it. */
  endText(): StreamChunk[] {
    const text = this.#text;
    this.#text = undefined;
    if (!text) return [];
    const { key, blocks } = text;
    const isPlain = blocks.length < 2 && !blocks[0]?.citations;
    const citations = toCitations(blocks);
    return [
      {
        type: "text-end",
        segmentId: key,
        ...(citations.length > 0 && { citations }),
        // The blocks, as they must be returned.
        ...(!isPlain && { providerMetadata: { anthropic: { blocks } } }),
      },
    ];
  }

  /** The answer has ended: ends the texts that are still open, as after a refusal. A call without its end stays open. */
  end(): StreamChunk[] {
    const indices = [...this.#open].filter(([, { type }]) => type === "text" || type === "thinking");
    return [
      ...indices.flatMap(([index]) => this.stop({ type: "content_block_stop", index })),
      ...this.endText(),
    ];
  }

  #startText(index: number, { text = "", citations }: AnthropicContentBlock): StreamChunk[] {
    const segment = this.#text ?? { key: this.#keyOf(index), length: 0, blocks: [] };
    const isNew = this.#text === undefined;
    this.#text = undefined;
    const open: OpenBlock & { type: "text" } = { type: "text", segment, citations: [] };
    this.#open.set(index, open);
    return [
      ...(isNew ? [{ type: "text-start" as const, segmentId: segment.key }] : []),
      ...addText(segment, text),
      ...(Array.isArray(citations) ? citations.flatMap((citation) => this.#cite(open, citation) ?? []) : []),
    ];
  }

  #startOther(event: AnthropicContentBlockStart): StreamChunk[] {
    const { index, content_block: block } = event;
    const key = this.#keyOf(index);
    switch (block.type) {
      case "thinking": {
        this.#open.set(index, { type: "thinking", key, signature: block.signature ?? "" });
        return [{ type: "reasoning-start", segmentId: key }, ...addThinking(key, block.thinking)];
      }
      case "redacted_thinking": {
        this.#open.set(index, { type: "ignored" });
        const { type, data } = block;
        const providerMetadata = { anthropic: { type, data } };
        return [
          { type: "reasoning-start", segmentId: key },
          { type: "reasoning-end", segmentId: key, providerMetadata },
        ];
      }
      case "tool_use":
      case "server_tool_use":
      case "mcp_tool_use":
        return this.#startCall(index, block);
      case "container_upload": {
        this.#open.set(index, { type: "ignored" });
        const file = { anthropic: block.file_id ?? "" };
        const providerMetadata = { anthropic: { type: block.type } };
        const mediaType = "application/octet-stream";
        return [{ type: "file", id: key, mediaType, url: "", providerReference: file, providerMetadata }];
      }
      default:
        return this.#startUnusual(event);
    }
  }

  #startUnusual(event: AnthropicContentBlockStart): StreamChunk[] {
    const { index, content_block: block } = event;
    if (returnedBlocks.has(block.type)) {
      this.#open.set(index, { type: "returned", block });
      return [];
    }
    this.#open.set(index, { type: "ignored" });
    if (block.type.endsWith("_tool_result") && block.tool_use_id !== undefined) {
      return this.#toResult(block, block.tool_use_id);
    }
    this.#onUnknown?.(event);
    return [];
  }

  #startCall(index: number, block: AnthropicContentBlock): StreamChunk[] {
    const { type, id: toolCallId = "", name: tool = "", input, caller, toolset_name, server_name } = block;
    const isOwn = type === "tool_use";
    this.#tools.set(toolCallId, tool);
    this.#open.set(index, { type: "call", toolCallId, tool, input, json: "", isOwn });
    // What the call consists of besides its input, to be returned.
    const details = {
      ...(!isOwn && { type, name: tool }),
      ...(caller !== undefined && { caller }),
      ...(toolset_name && { toolset_name }),
      ...(server_name !== undefined && { server_name }),
    };
    return [
      {
        type: "tool-call-start",
        tool,
        toolCallId,
        ...(!isOwn && { executor: "provider" }),
        ...(type === "mcp_tool_use" && { isDynamic: true }),
        ...(Object.keys(details).length > 0 && { providerMetadata: { anthropic: details } }),
      },
    ];
  }

  #endCall({ toolCallId, tool, input: whole, json, isOwn }: OpenBlock & { type: "call" }): StreamChunk {
    // Some compatible servers send the whole input at once.
    const parsed = json === "" && whole ? { input: whole } : parseToolInput(json);
    // A call that the provider runs gets its failure as a result.
    if (!parsed && isOwn) return invalidToolInput(tool, toolCallId, json);
    const call = { toolCallId, tool, input: parsed ? parsed.input : json };
    if (isOwn) this.toolCalls.push(call);
    return { type: "tool-call-ready", ...call, ...(!isOwn && { executor: "provider" }) };
  }

  #toResult(block: AnthropicContentBlock, toolCallId: string): StreamChunk[] {
    const { tool_use_id: _, content = null, ...details } = block;
    const isError = block.is_error === true || typeOf(content).endsWith("_error");
    return [
      {
        type: "tool-call-result",
        // A result may belong to a call of an earlier answer.
        tool: this.#tools.get(toolCallId) ?? block.type.replace(/_tool_result$/, ""),
        toolCallId,
        content,
        ...(isError && { isError }),
        providerMetadata: { anthropic: details },
      },
      ...this.#citations.sourcesOf(content),
    ];
  }

  #toData(index: number, block: AnthropicContentBlock): StreamChunk {
    const { type } = block;
    const providerMetadata = { anthropic: { type } };
    return { type: "data", name: `anthropic.${type}`, id: this.#keyOf(index), data: block, providerMetadata };
  }

  /** @returns undefined for what this version does not know of such a block. */
  #addTo(open: OpenBlock, delta: AnthropicBlockDelta): StreamChunk[] | undefined {
    switch (open.type) {
      case "text":
        if (delta.type === "text_delta") return addText(open.segment, delta.text);
        return delta.type === "citations_delta" ? this.#cite(open, delta.citation) : undefined;
      case "thinking":
        if (delta.type === "thinking_delta") return addThinking(open.key, delta.thinking);
        if (delta.type !== "signature_delta") return undefined;
        open.signature = delta.signature ?? "";
        return [];
      case "call":
        return delta.type === "input_json_delta" ? addInput(open, delta.partial_json) : undefined;
      case "returned": {
        const { type, ...fields } = delta;
        if (type !== "compaction_delta") return undefined;
        open.block = { ...open.block, ...(fields as Partial<AnthropicContentBlock>) };
        return [];
      }
      case "ignored":
        return [];
    }
  }

  #cite(open: OpenBlock & { type: "text" }, citation: unknown): StreamChunk[] | undefined {
    open.citations.push(citation);
    return this.#citations.cite(citation);
  }

  #keyOf(index: number): string {
    return `${this.responseId}:${index}`;
  }
}

function addText(segment: TextSegment, delta = ""): StreamChunk[] {
  segment.length += delta.length;
  return delta === "" ? [] : [{ type: "text-delta", segmentId: segment.key, delta }];
}

const addThinking = (segmentId: string, delta = ""): StreamChunk[] =>
  delta === "" ? [] : [{ type: "reasoning-delta", segmentId, delta }];

function addInput(call: OpenBlock & { type: "call" }, delta = ""): StreamChunk[] {
  call.json += delta;
  const { toolCallId, tool } = call;
  return delta === "" ? [] : [{ type: "tool-call-delta", toolCallId, tool, delta }];
}

/** Without a signature, the API accepts no thinking back. */
const endThinking = ({ key, signature }: OpenBlock & { type: "thinking" }): StreamChunk => ({
  type: "reasoning-end",
  segmentId: key,
  ...(signature !== "" && { providerMetadata: { anthropic: { signature } } }),
});

const typeOf = (content: unknown): string =>
  typeof content === "object" && content !== null && "type" in content ? String(content.type) : "";
