/** Starts the page. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ChatPage } from "./chat-page.tsx";
import "./chat-page.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <ChatPage />
  </StrictMode>,
);
