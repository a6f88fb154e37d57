/**
 * An agent that follows the command in the user's last message and records what happens to it; the same for every
 * runtime.
 */
import type { ChatRouteOptions, StreamChunk } from "@kortyx/server";

export interface SteeredAgent {
  agent: ChatRouteOptions["agent"];
  /** The events in order, each with the user of the request in which it happened. */
  diary: string[];
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

/** @param currentUser - Returns the user of the current request, from the framework or `AsyncLocalStorage`. */
export function createSteeredAgent(currentUser: () => string | Promise<string>): SteeredAgent {
  const diary: string[] = [];
  async function note(what: string): Promise<void> {
    diary.push(`${what} for ${await currentUser()}`);
  }

  async function* answer(asked: string, signal: AbortSignal): AsyncGenerator<StreamChunk> {
    signal.addEventListener("abort", () => void note("aborted"));
    if (asked === "count") {
      for (let step = 0; step < 20; step++) {
        await pause(10);
        yield delta(`${step} `);
      }
      yield { type: "done" };
    } else if (asked === "talk") {
      for (let step = 0; step < 60; step++) {
        await pause(20);
        yield delta(`${step} `);
      }
      await note("finished");
      yield { type: "done" };
    } else if (asked === "flood") {
      // More than all buffers between agent and client hold.
      for (let step = 0; step < 1000; step++) {
        const user = await currentUser();
        yield { type: "message", content: `${user} ${"x".repeat(20_000)}` };
      }
      yield { type: "done" };
    } else if (asked === "ask") {
      yield {
        type: "interrupt",
        requestId: "colour",
        resumeToken: "token",
        input: { kind: "text", multiple: false, question: "Which colour?" },
      };
      yield { type: "done", finishReason: "interrupt" };
    } else if (asked === "fail") {
      yield delta("Hello");
      await pause(10);
      throw new Error("the password is hunter2");
    } else {
      yield delta("Hello");
      // A long time, unless it is aborted.
      for (let step = 0; step < 6000 && !signal.aborted; step++) await pause(10);
    }
  }

  return {
    diary,
    agent: {
      async *streamChat(messages, { signal, resume }) {
        if (resume === undefined) yield* answer(messages.at(-1)!.content, signal);
        else yield delta(`You like ${resume.answer}.`);
      },
    },
  };
}
