/**
 * The user's actions in a conversation: send, respond, stop and the others. Checks each action and turns it into a
 * request. The conversation's state is in `conversation.ts`, that of one answer in `answer.ts`.
 */
import type { ChatResume, ChatTypes } from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";
import { toChatBody } from "../route/chat-body.ts";
import { createId } from "../route/create-id.ts";
import { ChatStateError, toError } from "../stream/errors.ts";
import type { AnswerRequest } from "./active-answer.ts";
import { shownPhase } from "./answer.ts";
import type { Chat, ChatOptions } from "./chat.ts";
import {
  carryResume,
  findResume,
  replaceMessage,
  toAnswerMessage,
  toResume,
  toUserMessage,
} from "./chat-input.ts";
import { Conversation } from "./conversation.ts";
import { toChatMessages, type UIMessage } from "./messages.ts";
import { type ChatTransport, createRouteTransport, type RouteTransportOptions } from "./route-transport.ts";
import { toUIMessage } from "./stored-message.ts";

/**
 * Creates the state of a conversation. Requests nothing before the first action.
 *
 * @param options - The options, or a function that returns them, called whenever one is needed.
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

  constructor(conversation: Conversation, readOptions: () => ChatOptions) {
    this.#conversation = conversation;
    this.#readOptions = readOptions;
    this.#routeTransport = createRouteTransport(readOptions as () => RouteTransportOptions);
  }

  readonly getSnapshot: Chat["getSnapshot"] = () => this.#conversation.snapshot;

  readonly subscribe: Chat["subscribe"] = (listener) => this.#conversation.subscribe(listener);

  readonly send: Chat["send"] = (input) =>
    this.#act(() => {
      const messages = this.#messagesWhenFree("send");
      const message = toUserMessage(input);
      const replaced = messages.findIndex(({ id }) => id === message.id);
      if (replaced === -1) return this.#request([...messages, message]);
      return this.#request([...messages.slice(0, replaced), replaceMessage(message, messages[replaced]!)]);
    });

  readonly respond: Chat["respond"] = (asked, answer) =>
    this.#act(() => {
      const messages = this.#messagesWhenFree("respond");
      const { interrupt } = this.#conversation.snapshot;
      if (!interrupt || interrupt.requestId !== asked?.requestId) {
        throw new ChatStateError(
          "not-pending",
          "Cannot respond: the question was already answered, or the conversation continued without an answer.",
        );
      }
      const resume = toResume(interrupt, answer);
      const message = toAnswerMessage(resume, interrupt);
      this.#resumes.set(message, resume);
      return this.#request([...messages, message]);
    });

  readonly regenerate: Chat["regenerate"] = () =>
    this.#act(() => {
      const messages = this.#messagesWhenFree("regenerate");
      const asked = messages.findLastIndex(({ role }) => role === "user");
      if (asked === -1) {
        throw new ChatStateError("nothing-to-regenerate", "Cannot regenerate: there is no user message yet.");
      }
      return this.#request(messages.slice(0, asked + 1));
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
      this.#conversation.takeHistory();
      const { sessionId } = this.#conversation;
      const { transport = this.#routeTransport } = this.#readOptions();
      if (!transport.resume || !sessionId) return;
      const open: AnswerRequest["open"] = (options) => transport.resume!({ sessionId }, options);
      return this.#conversation.findRun({ transport, open });
    });

  readonly stop: Chat["stop"] = () =>
    this.#act(() => {
      this.#conversation.leaveUnseen();
      return this.#conversation.answer?.stop();
    });

  readonly close: Chat["close"] = () => this.#conversation.answer?.leave();

  readonly clear: Chat["clear"] = () =>
    this.#act(async () => {
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
    if (answer && shownPhase(answer.state)) throw busyError(action);
    return messages;
  }

  /** Requests the answer to `messages`. */
  #request(messages: readonly UIMessage[]): Promise<void> {
    const resume = this.#resumes.get(messages.at(-1)!) ?? findResume(messages);
    const sessionId = this.#conversation.sessionId ?? createId();
    const options = this.#readOptions();
    const { transport = this.#routeTransport, runs, selectMessages } = options;
    const idempotencyKey = runs ? createId() : undefined;
    const open: AnswerRequest["open"] = (transportOptions) => {
      const said = toChatMessages(messages);
      const selected = carryResume(selectMessages?.(said) ?? said, resume);
      const body = toChatBody({ ...options, messages: selected, sessionId, idempotencyKey, resume });
      return transport.start(body, transportOptions);
    };
    return this.#conversation.requestAnswer(messages, sessionId, { transport, open, idempotencyKey });
  }
}

const busyError = (action: string): ChatStateError =>
  new ChatStateError("busy", `Cannot ${action} while an answer is streaming; call stop() first.`);
