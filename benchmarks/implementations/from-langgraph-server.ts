/** `fromLangGraph` over the SDK of a LangGraph server. */
import { Client } from "@langchain/langgraph-sdk";
import { fromLangGraph } from "../../packages/server/dist/langgraph.js";
import { answer, calls, fetchOf } from "../workloads/answer.ts";
import type { Implementation } from "./implementation.ts";

const metadata = {
  langgraph_node: "agent",
  langgraph_step: 1,
  langgraph_checkpoint_ns: "agent:1",
  ls_provider: "openai",
  ls_model_name: "gpt-5",
  tags: [],
};
const piece = (content: unknown, tool_call_chunks: object[] = []): [string, unknown] => [
  "messages",
  [
    {
      type: "AIMessageChunk",
      id: "m1",
      content,
      tool_call_chunks,
      tool_calls: [],
      additional_kwargs: {},
      response_metadata: {},
    },
    metadata,
  ],
];
const message = {
  type: "ai",
  id: "m1",
  content: [
    { type: "thinking", thinking: answer.reasoning.join(""), index: 0 },
    { type: "text", text: answer.text.join(""), index: 1 },
  ],
  tool_calls: calls.map(({ id, name, input }) => ({ type: "tool_call", id, name, args: input })),
};
const events: [string, unknown][] = [
  ["metadata", { run_id: "r1", thread_id: "t1" }],
  ...answer.reasoning.map((thinking) => piece([{ type: "thinking", thinking, index: 0 }])),
  ...answer.text.map((text) => piece([{ type: "text", text, index: 1 }])),
  ...calls.flatMap(({ id, name, pieces }, index) => [
    piece("", [{ type: "tool_call_chunk", id, name, args: "", index }]),
    ...pieces.map((args) => piece("", [{ type: "tool_call_chunk", args, index }])),
  ]),
  ["updates", { agent: { messages: [message] } }],
];

export const implementation: Implementation = {
  title: "`fromLangGraph`, of a server",
  packages: ["@langchain/langgraph-sdk"],
  form: '`for await (const chunk of fromLangGraph(client.runs.stream(…, { streamMode: ["messages-tuple", "updates"] })))`',

  compare() {
    const frames = events.map(([event, data]) => `event: ${event}\r\ndata: ${JSON.stringify(data)}\r\n\r\n`);
    const fetch = fetchOf(frames);
    const client = new Client({ apiUrl: "http://localhost", apiKey: null, callerOptions: { fetch } });
    const ask = () =>
      client.runs.stream("t1", "agent", {
        input: { messages: [] },
        streamMode: ["messages-tuple" as const, "updates" as const],
        streamSubgraphs: true,
      });
    return { bare: ask, ours: () => fromLangGraph(ask()), units: events.length };
  },
};
