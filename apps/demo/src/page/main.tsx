/** Starts the page. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createConversationStore } from "./conversation-store.ts";
import { DemoApp } from "./demo-app.tsx";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/sidebar.css";
import "./styles/messages.css";
import "./styles/empty-state.css";
import "./styles/cards.css";
import "./styles/structured-data.css";
import "./styles/questions.css";
import "./styles/markdown.css";
import "./styles/composer.css";
import "./styles/stream-panel.css";

/** Some browsers throw where storage is switched off. */
function findStorage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

const store = createConversationStore(findStorage());

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <DemoApp store={store} />
  </StrictMode>,
);
