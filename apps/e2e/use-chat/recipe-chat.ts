/** The chat of the recipes for other libraries. The test controls its answers and counts its listeners. */
import { type Chat, createChat, type StreamChunk } from "@kortyx/client";

declare global {
  interface Window {
    recipe: {
      /** Continues the answer; an empty text ends it. */
      give(text: string): void;
      /** Removes the view from the page. */
      unmount(): void;
      readonly listeners: number;
      /** Whether an answer is being read. */
      readonly isFollowed: boolean;
    };
  }
}

let waiting: ((text: string) => void) | undefined;

const inner = createChat({
  transport: {
    async *start(_, { signal }): AsyncGenerator<StreamChunk> {
      signal.addEventListener("abort", () => waiting?.(""));
      try {
        for (;;) {
          const text = await new Promise<string>((resolve) => {
            waiting = resolve;
          });
          if (text === "") return;
          yield { type: "text-delta", delta: text };
        }
      } finally {
        waiting = undefined;
      }
    },
  },
});

let listeners = 0;
export const chat: Chat = {
  ...inner,
  subscribe(listener) {
    listeners++;
    const unsubscribe = inner.subscribe(listener);
    return () => {
      listeners--;
      unsubscribe();
    };
  },
};

/** The parts of a recipe that the test uses. */
export function offer(unmount: () => void): void {
  window.recipe = {
    give: (text) => waiting?.(text),
    unmount,
    get listeners() {
      return listeners;
    },
    get isFollowed() {
      return waiting !== undefined;
    },
  };
}

export const root = document.querySelector("#root")!;
