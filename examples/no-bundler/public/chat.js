import { createChat, toMessageText } from "@kortyx/client";

const chat = createChat({ endpoint: "/api/chat" });
const [log, alert, form] = document.querySelectorAll("[role], form");
const { question, send, stop } = form.elements;

chat.subscribe(({ messages, status, error }) => {
  const lineOf = (message) => `${message.role === "user" ? "You" : "Agent"}: ${toMessageText(message)}`;
  log.textContent = messages.map(lineOf).join("\n\n");
  alert.textContent = error?.message ?? "";
  send.disabled = status !== "ready" && status !== "error";
  stop.disabled = !send.disabled;
  log.ariaBusy = String(send.disabled);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  chat.send(question.value);
  form.reset();
});
stop.addEventListener("click", chat.stop);
