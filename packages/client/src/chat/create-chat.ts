/**
 * The user's actions in a conversation: send, respond, stop and the others. Checks each action and turns it into a
 * request. The conversation's state is in `conversation.ts`, that of one answer in `answer.ts`.
 */
import type {
  AssistantUIMessage,
  ChatResume,
  ChatTypes,
  FileMessagePart,
  InterruptChunk,
  ToolCallPart,
  UserUIMessage,
} from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";
import { createId } from "../route/create-id.ts";
import { ChatStateError, toError } from "../stream/errors.ts";
import type { AnswerRequest } from "./active-answer.ts";
import { shownPhase } from "./answer.ts";
import { attach, isFile, readFiles, upload } from "./attached-files.ts";
import type { Chat, ChatAnswer, ChatOptions, InterruptResponse } from "./chat.ts";
import {
  checkOffered,
  continuesMessage,
  findResume,
  replaceMessage,
  toAnswerMessage,
  toInterruptAnswer,
  toResume,
  toUserMessage,
} from "./chat-input.ts";
import { type ChatTools, findClientCalls, ToolRuns } from "./chat-tools.ts";
import { Conversation } from "./conversation.ts";
import type { UIMessage } from "./messages.ts";
import { readLateAnswers } from "./open-questions.ts";
import { type AddedFields, toRequestBody } from "./request-body.ts";
import { type ChatTransport, createRouteTransport, type RouteTransportOptions } from "./route-transport.ts";
import { toUIMessage } from "./stored-message.ts";

/**
 * Creates the state of a conversation. Requests nothing before the first action.
 *
 * @param options - The options, or a function that returns them, called whenever one is needed.
 * @throws TypeError for an option of the wrong type, RangeError for a size or a time that is not a number, or is negative,
 * ChatStateError `invalid-message` for a wrong message in `initialMessages`.
 *
 * @example
 * ```ts
 * const chat = createChat({ endpoint: "/api/chat" });
 * chat.subscribe(({ messages, status }) => render(messages, status));
 * await chat.send("Hello");
 * ```
 */
export function createChat<Types extends ChatTypes = ChatTypes>(
  options: ChatOptions<Types> | (() => ChatOptions<Types>),
): Chat<Types>;
export function createChat(options: ChatOptions | (() => ChatOptions)): Chat {
  return createChatState(options).chat;
}

/** A chat, with the methods that only the owner of its options may call. */
export interface ChatState {
  chat: Chat;
  /**
   * Shows `initialMessages` that arrive after the chat was created, unless messages were sent, answered, set or
   * cleared.
   */
  takeHistory(): void;
}

/** @param options - As those of {@link createChat}. */
export function createChatState(options: ChatOptions | (() => ChatOptions)): ChatState {
  const readOptions = typeof options === "function" ? options : () => options;
  const conversation = new Conversation(readOptions);
  return {
    chat: new ConversationChat(conversation, readOptions),
    takeHistory: () => conversation.takeHistory(),
  };
}

/** Its methods are fields, so that each can be an event handler and all can be copied to another object. */
class ConversationChat implements Chat {
  readonly #conversation: Conversation;
  readonly #readOptions: () => ChatOptions;
  readonly #routeTransport: ChatTransport;
  /** Messages that answer a question, with the original answer; after a reload they have only its metadata. */
  readonly #resumes = new WeakMap<UIMessage, ChatResume>();
  readonly #tools = new ToolRuns();
  /** What the last request for the rest of a message added, if it has failed: `regenerate` repeats it. */
  #failed: AddedFields | undefined;

  constructor(conversation: Conversation, readOptions: () => ChatOptions) {
    this.#conversation = conversation;
    this.#readOptions = readOptions;
    this.#routeTransport = createRouteTransport(readOptions as () => RouteTransportOptions);
  }

  readonly getSnapshot: Chat["getSnapshot"] = () => this.#conversation.snapshot;

  readonly subscribe: Chat["subscribe"] = (listener) => this.#conversation.subscribe(listener);

  readonly send: Chat["send"] = (input) =>
    this.#act(() => {
      this.#messagesWhenFree("send");
      const message = toUserMessage(input);
      const files = readFiles(input);
      return files.some(isFile)
        ? this.#upload(message, files)
        : this.#send(attach(message, files as FileMessagePart[]));
    });

  async #upload(message: UserUIMessage, files: (File | FileMessagePart)[]): Promise<void> {
    const { uploadFile } = this.#readOptions();
    const whole = await this.#conversation.prepare(async (signal) => {
      const uploads = files.map((file) => (isFile(file) ? upload(file, uploadFile, signal) : file));
      return attach(message, await Promise.all(uploads));
    });
    if (whole) await this.#send(whole);
  }

  #send(message: UserUIMessage): Promise<void> {
    const { messages } = this.#conversation;
    const replaced = messages.findIndex(({ id }) => id === message.id);
    if (replaced === -1) return this.#request([...messages, message]);
    return this.#request([...messages.slice(0, replaced), replaceMessage(message, messages[replaced]!)]);
  }

  readonly respond: Chat["respond"] = (
    asked: Pick<InterruptChunk, "requestId"> | readonly InterruptResponse[],
    answer?: ChatAnswer,
  ) =>
    this.#act(() => {
      const messages = this.#messagesWhenFree("respond");
      if (Array.isArray(asked)) return this.#respondTo(asked);
      const { requestId } = (asked ?? {}) as { requestId?: unknown };
      const interrupt = this.#findQuestion("respond", (question) => question.requestId === requestId);
      if (continuesMessage(interrupt, messages.at(-1), this.#conversation.acceptsParts)) {
        return this.#respondTo([{ interrupt, answer: answer as ChatAnswer }]);
      }
      const resume = toResume(interrupt, answer as ChatAnswer);
      const message = toAnswerMessage(resume, interrupt);
      this.#resumes.set(message, resume);
      return this.#request([...messages, message]);
    });

  readonly approve: Chat["approve"] = (call) => this.#decide("approve", call);

  readonly deny: Chat["deny"] = (call, reason) => this.#decide("deny", call, { reason });

  readonly edit: Chat["edit"] = (call, input) => this.#decide("edit", call, { input });

  /** Decisions are sent together: an agent can then continue with all of its calls. */
  #decide(
    answer: "approve" | "deny" | "edit",
    call: Pick<ToolCallPart, "toolCallId">,
    given?: { input?: unknown; reason?: string | undefined },
  ): Promise<void> {
    return this.#act(() => {
      this.#messagesWhenFree(answer);
      const isAboutCall = ({ toolCallId }: InterruptChunk) => toolCallId !== undefined;
      const asksAbout = (question: InterruptChunk) =>
        isAboutCall(question) && question.toolCallId === call?.toolCallId;
      const interrupt = this.#findQuestion(answer, asksAbout);
      checkOffered(interrupt, answer);
      this.#conversation.decide(toInterruptAnswer(interrupt, { interrupt, answer, ...given }));
      // A listener may have begun another request.
      this.#messagesWhenFree(answer);
      if (!this.#conversation.snapshot.interrupts.some(isAboutCall)) return this.#continue({});
    });
  }

  /** The rest of the answer continues the message that asked. */
  #respondTo(responses: readonly InterruptResponse[]): Promise<void> {
    if (responses.length === 0) throw notPendingError("respond");
    const asked = new Set(responses.map((response) => response?.interrupt?.requestId));
    if (asked.size < responses.length) {
      throw new ChatStateError("invalid-message", "Cannot respond twice to the same question.");
    }
    const resumes = responses.map((response) => {
      const requestId = response?.interrupt?.requestId;
      const interrupt = this.#findQuestion("respond", (question) => question.requestId === requestId);
      return toInterruptAnswer(interrupt, response);
    });
    return this.#continue({ resumes });
  }

  /** @throws ChatStateError `not-pending` if no such question is open. */
  #findQuestion(action: string, isMeant: (interrupt: InterruptChunk) => boolean): InterruptChunk {
    const interrupt = this.#conversation.snapshot.interrupts.findLast(isMeant);
    if (!interrupt) throw notPendingError(action);
    return interrupt;
  }

  readonly runTools: Chat["runTools"] = () =>
    this.#act(() => {
      const message = this.#messagesWhenFree("run tools").at(-1);
      if (message?.role !== "assistant" || findClientCalls(message).length === 0) {
        throw new ChatStateError("not-pending", "Cannot run tools: the last answer waits for none.");
      }
      this.#tools.retry();
      return this.#runTools();
    });

  /** Runs the tools that the last answer waits for, and sends their results when none is missing. */
  async #runTools(): Promise<void> {
    const findCalls = () => {
      const message = this.#conversation.messages.at(-1);
      return message?.role === "assistant" ? findClientCalls(message) : [];
    };
    await this.#tools.run(findCalls(), this.#readOptions().tools as ChatTools | undefined);
    // The user may have answered a question, or sent a message, while a tool was running.
    const { interrupts, status } = this.#conversation.snapshot;
    const isFree = status === "ready" || status === "error";
    const toolResults = isFree && interrupts.length === 0 ? this.#tools.take(findCalls()) : undefined;
    if (toolResults) await this.#continue({ toolResults });
  }

  readonly regenerate: Chat["regenerate"] = () =>
    this.#act(() => {
      const messages = this.#messagesWhenFree("regenerate");
      const failed = this.#failed;
      const last = messages.at(-1);
      if (failed && this.#conversation.snapshot.status === "error" && last?.id === failed.messageId) {
        // What came before the failure stays, as in the message that the server has stored.
        return this.#request(messages, failed, last as AssistantUIMessage);
      }
      const asked = messages.findLastIndex(({ role }) => role === "user");
      if (asked === -1) {
        throw new ChatStateError("nothing-to-regenerate", "Cannot regenerate: there is no user message yet.");
      }
      // Not every route knows the field.
      const { acceptsParts } = this.#conversation;
      const again: AddedFields = { trigger: "regenerate", messageId: messages[asked + 1]?.id };
      return this.#request(messages.slice(0, asked + 1), acceptsParts ? again : {});
    });

  readonly setMessages: Chat["setMessages"] = (next) =>
    this.#act(() => {
      const messages = this.#messagesWhenFree("set messages");
      // A found run is shown only after `onChunk` has its first chunk, but its place must not be lost until then.
      if (this.#conversation.answer?.state.phase === "found") throw busyError("set messages");
      const replaced = typeof next === "function" ? next(messages) : next;
      if (!Array.isArray(replaced)) {
        throw new ChatStateError(
          "invalid-message",
          `Cannot set messages to ${describeKind(replaced)}: expected an array, or a function that returns one.`,
        );
      }
      this.#conversation.setMessages(replaced.map(toUIMessage));
    });

  readonly resume: Chat["resume"] = () =>
    this.#act(() => {
      const { answer } = this.#conversation;
      if (answer) return answer.ended;
      if (this.#conversation.isPreparing) return;
      this.#conversation.takeHistory();
      const { sessionId } = this.#conversation;
      const { transport = this.#routeTransport } = this.#readOptions();
      if (!transport.resume || !sessionId) return;
      const open: AnswerRequest["open"] = (options) => transport.resume!({ sessionId }, options);
      return this.#conversation.findRun({ transport, open });
    });

  readonly stop: Chat["stop"] = () =>
    this.#act(() => {
      this.#tools.abort();
      this.#conversation.leaveUnseen();
      return this.#conversation.answer?.stop();
    });

  readonly close: Chat["close"] = () => {
    this.#tools.abort();
    this.#conversation.leaveUnseen();
    this.#conversation.answer?.leave();
  };

  readonly clear: Chat["clear"] = () =>
    this.#act(async () => {
      this.#tools.abort();
      this.#conversation.leaveUnseen();
      // A listener notified of the end may request the next answer.
      while (this.#conversation.answer) await this.stop();
      this.#conversation.clear();
    });

  /**
   * Runs an action that may be an event handler. Its promise rejects for callers that await it, and is handled for all
   * others.
   *
   * @param action - Changes the state synchronously where it can, so that a second click sees the result of the first.
   */
  #act(action: () => Promise<void> | undefined | void): Promise<void> {
    const acting = (async () => {
      try {
        await action();
      } catch (thrown) {
        const error = toError(thrown);
        this.#conversation.refuse(error);
        throw error;
      }
    })();
    acting.catch(() => {});
    return acting;
  }

  /** @throws ChatStateError `busy` while an answer is visibly streaming. */
  #messagesWhenFree(action: string): readonly UIMessage[] {
    this.#conversation.takeHistory();
    const { answer, messages } = this.#conversation;
    const isBusy = this.#conversation.isPreparing || (answer && shownPhase(answer.state));
    if (isBusy) throw busyError(action);
    return messages;
  }

  /** Requests the rest of the last message, with all answers to its questions that have been collected. */
  #continue({ resumes = [], toolResults }: AddedFields): Promise<void> {
    const { messages } = this.#conversation;
    const continues = messages.at(-1) as AssistantUIMessage;
    const answers = [...this.#conversation.decisions, ...resumes];
    const added: AddedFields = { toolResults, trigger: "continue", messageId: continues.id };
    if (answers.length > 0) added.resumes = answers;
    return this.#request(messages, added, continues);
  }

  /** Requests the answer to `messages`, and runs the tools that it calls. */
  async #request(
    messages: readonly UIMessage[],
    added: AddedFields = {},
    continues?: AssistantUIMessage,
  ): Promise<void> {
    if (continues) this.#tools.hold(findClientCalls(continues));
    else this.#tools.abort();
    this.#failed = undefined;
    const conversation = this.#conversation;
    const resume = continues ? undefined : (this.#resumes.get(messages.at(-1)!) ?? findResume(messages));
    const sessionId = conversation.sessionId ?? createId();
    const options = this.#readOptions();
    const { transport = this.#routeTransport, runs } = options;
    const idempotencyKey = runs ? createId() : undefined;
    const { acceptsParts } = conversation;
    const open: AnswerRequest["open"] = (transportOptions) => {
      const state = { sessionId, idempotencyKey, resume, added, acceptsParts };
      return transport.start(toRequestBody(messages, options, state), transportOptions);
    };
    const request = { transport, open, idempotencyKey, continues };
    await conversation.requestAnswer(messages, sessionId, request);
    const { status, error } = conversation.snapshot;
    if (continues && status === "error") {
      const late = readLateAnswers(error, added);
      if (late) conversation.closeLate(continues.id, late);
      else this.#failed = added;
    }
    await this.#runTools();
  }
}

const busyError = (action: string): ChatStateError =>
  new ChatStateError("busy", `Cannot ${action} while an answer is streaming; call stop() first.`);

const notPendingError = (action: string): ChatStateError =>
  new ChatStateError(
    "not-pending",
    `Cannot ${action}: the question was already answered, or the conversation continued without an answer.`,
  );
