/** An agent of the demo whose answers a test writes chunk by chunk. */
import type { ChatAgentOptions, ChatMessage, StreamChunk } from "@kortyx/server";
import { agentOf, type DemoPage } from "./demo-page.ts";

/** What the agent was called with. */
export interface AgentCall extends ChatAgentOptions {
  /** The newest one. */
  message?: ChatMessage | undefined;
}

export function createScript() {
  let onCall = (_call: AgentCall) => {};
  let said: StreamChunk[] = [];
  let failure: Error | undefined;
  let wake = () => {};

  const agent = agentOf(async function* (_question, { signal, ...options }, message) {
    said = [];
    failure = undefined;
    onCall({ ...options, message });
    signal.addEventListener("abort", () => wake());
    while (!signal.aborted) {
      const chunk = said.shift();
      if (chunk !== undefined) yield chunk;
      else if (failure !== undefined) throw failure;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (chunk?.type === "done") return;
    }
  });

  /** Resolves when the agent is called the next time. */
  const nextCall = () =>
    new Promise<AgentCall>((resolve) => {
      onCall = resolve;
    });

  return {
    agent,
    nextCall,
    /** Makes the agent yield chunks; it waits in between. */
    say(...chunks: StreamChunk[]) {
      said.push(...chunks);
      wake();
    },
    breakOff(error: Error) {
      failure = error;
      wake();
    },
    /** Asks in a new conversation, and returns when the agent was called. */
    async begin(demo: DemoPage): Promise<AgentCall> {
      await demo.startOver();
      const call = nextCall();
      await demo.ask("Anything");
      return call;
    },
  };
}
