/** Renders the initial state of a chat on a server, in Solid. */

import { useChat } from "virtual:readme-solid";
import { renderToString } from "solid-js/web";

export const renderScene = (): string =>
  renderToString(() => {
    const { state } = useChat({ endpoint: "/api/chat" });
    const { messages, status, sessionId } = state();
    return `${status} ${messages.length} ${sessionId}`;
  });
