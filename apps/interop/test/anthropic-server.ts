/** A loopback server that answers as Anthropic does, and the SDK as its client. */
import type Anthropic from "@anthropic-ai/sdk";
import { isInstalled } from "../install.ts";
import { type ProviderServer, type ScriptedAnswer, serveProvider, toFrames } from "./kit/provider-server.ts";

const { default: SDK } = isInstalled() ? await import("@anthropic-ai/sdk") : ({} as never);

type Block = Record<string, unknown> & { type: string };

export const start = {
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-test",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1, service_tier: "standard" },
  },
};

export const block = (index: number, content_block: Block, ...deltas: Block[]): object[] => [
  { type: "content_block_start", index, content_block },
  ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
  { type: "content_block_stop", index },
];

export const text = (index: number, ...pieces: string[]): object[] =>
  block(index, { type: "text", text: "" }, ...pieces.map((piece) => ({ type: "text_delta", text: piece })));

export const json = (...pieces: string[]): Block[] =>
  pieces.map((partial_json) => ({ type: "input_json_delta", partial_json }));

export const end = (stop_reason = "end_turn", delta: object = {}, usage: object = {}): object[] => [
  {
    type: "message_delta",
    delta: { stop_reason, stop_sequence: null, ...delta },
    usage: { input_tokens: null, output_tokens: 20, ...usage },
  },
  { type: "message_stop" },
];

export const toAnswer = (events: object[], fields: Partial<ScriptedAnswer> = {}): ScriptedAnswer => ({
  pieces: toFrames(events, "with-names"),
  ...fields,
});

export interface AnthropicServer extends AsyncDisposable, Pick<ProviderServer, "requests" | "url"> {
  client: Anthropic;
}

export async function serveAnthropic(...given: Parameters<typeof serveProvider>): Promise<AnthropicServer> {
  const server = await serveProvider(...given);
  const client = new SDK({ apiKey: "test", baseURL: server.url, maxRetries: 0 });
  const { requests, url } = server;
  return { client, requests, url, [Symbol.asyncDispose]: server.close };
}

/** What a request needs besides its messages. */
export const basics = { model: "claude-test", max_tokens: 64, stream: true as const };
