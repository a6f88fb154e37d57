/**
 * All clients of a game in one process. Each is a chat of the client package at its default settings that sends,
 * reloads and stops as planned. Reports every chunk of every page.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Chat, createChat, type StreamChunk, StreamRemoteError } from "@kortyx/client";
import { type Action, ownerOf, type PlannedQuestion, type Question, sessionOf } from "./plan.ts";

export interface ClientsCommand {
  endpoint: string;
  clients: PlannedQuestion[][];
  /** A page that receives nothing new for this long counts as hanging. */
  maxSilenceMs: number;
}

/** The record of one page that read one answer. Times are in milliseconds since 1970. */
interface PageView {
  chunks: StreamChunk[];
  endedAt: number;
  longestSilenceMs: number;
  reconnects: number;
  /**
   * How reading ended on this page: with a terminal chunk, without one, or with an error of the client. `unanswered`:
   * two requests in a row got no response, which the client reports.
   */
  ending: "terminal" | "open" | "nothing" | "unanswered" | "hangs" | { error: string };
}

/** One question and the pages that read its answer: a reload opens a second page. */
export interface AskedQuestion {
  question: Question;
  action: Action;
  /** Whether a stop succeeded. */
  isStopped: boolean;
  pages: PageView[];
}

function openPage({ endpoint, maxSilenceMs }: ClientsCommand, question: Question) {
  const startedAt = Date.now();
  const view: PageView = {
    chunks: [],
    endedAt: startedAt,
    longestSilenceMs: 0,
    reconnects: 0,
    ending: "nothing",
  };
  let heardAt = startedAt;
  let isOver = false;
  let check = () => {};
  const noteSilence = () => {
    view.longestSilenceMs = Math.max(view.longestSilenceMs, Date.now() - heardAt);
  };
  const chat = createChat({
    endpoint,
    headers: { "x-user": ownerOf(question) },
    sessionId: sessionOf(question),
    runs: true,
    onChunk(chunk) {
      noteSilence();
      heardAt = Date.now();
      view.chunks.push(chunk);
      check();
    },
    onConnectionChange({ state }) {
      if (state === "reconnecting") view.reconnects++;
    },
  });
  const watch = setInterval(() => {
    if (Date.now() - heardAt <= maxSilenceMs) return;
    view.ending = "hangs";
    chat.close();
  }, 500);

  return {
    view,
    chat,
    /** Resolves when this many chunks have arrived, or when no more will. */
    reached: (count: number) =>
      new Promise<void>((resolve) => {
        check = () => {
          if (view.chunks.length >= count || isOver) resolve();
        };
        check();
      }),
    /** Reads until the answer ends on this page. */
    async read(following: Promise<void>): Promise<void> {
      await following;
      isOver = true;
      clearInterval(watch);
      noteSilence();
      view.endedAt = Date.now();
      if (view.ending !== "hangs") view.ending = describeEnding(chat, view);
      check();
    },
  };
}

function describeEnding(chat: Chat, { chunks }: PageView): PageView["ending"] {
  const { error } = chat.getSnapshot();
  // An `error` chunk also becomes an error of the chat, and is not an error of the client.
  if (error?.name === "StreamConnectionError" && chunks.length === 0) return "unanswered";
  if (error !== undefined && !(error instanceof StreamRemoteError))
    return { error: `${error.name}: ${error.message}` };
  if (chunks.length === 0) return "nothing";
  return /^(done|abort|error)$/.test(chunks.at(-1)!.type) ? "terminal" : "open";
}

async function ask(command: ClientsCommand, { question, action }: PlannedQuestion): Promise<AskedQuestion> {
  const page = openPage(command, question);
  const asked: AskedQuestion = { question, action, isStopped: false, pages: [page.view] };
  const reading = page.read(page.chat.send(JSON.stringify(question)));
  if (action.type === "stop") {
    await page.reached(action.afterChunks);
    // Retries like a user who presses the button again.
    for (let attempt = 0; attempt < 5 && !asked.isStopped; attempt++) {
      asked.isStopped = await page.chat.stop().then(
        () => true,
        () => delay(500, false),
      );
    }
  }
  if (action.type === "reload") {
    await page.reached(action.afterChunks);
    page.chat.close();
    await reading;
    await delay(action.absentMs);
    let next = openPage(command, question);
    await next.read(next.chat.resume());
    for (let reload = 0; reload < 3 && next.view.ending === "unanswered"; reload++) {
      next = openPage(command, question);
      await next.read(next.chat.resume());
    }
    asked.pages.push(next.view);
  }
  await reading;
  return asked;
}

process.once("message", async (command: ClientsCommand) => {
  const asked = await Promise.all(
    command.clients.map(async (questions) => {
      const answers: AskedQuestion[] = [];
      for (const planned of questions) {
        await delay(planned.waitMs);
        answers.push(await ask(command, planned));
      }
      return answers;
    }),
  );
  process.send!(asked.flat(), () => process.exit(0));
});
process.once("disconnect", () => process.exit(1));
process.send!("ready");
