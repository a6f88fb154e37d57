/** The chat of the recipes for other libraries: its answers are given by the test, and its listeners are counted. */
import { type Chat, createChat, type StreamChunk } from "@kortyx/client";

declare global {
  interface Window {
    recipe: {
      /** Goes on with the answer; an empty text ends it. */
      give(text: string): void;
      /** Takes the view out of the page. */
      unmount(): void;
      readonly listeners: number;
      /** Whether somebody follows an answer. */
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

/** What the test uses of a recipe. */
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
