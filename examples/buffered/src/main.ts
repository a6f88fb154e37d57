import { requestChat } from "@kortyx/client";

const log = document.querySelector<HTMLElement>("[role=log]")!;
const alert = document.querySelector<HTMLElement>("[role=alert]")!;
const form = document.querySelector("form")!;
const [send, stop] = document.querySelectorAll("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const content = String(new FormData(form).get("question"));
  const request = new AbortController();
  stop!.onclick = () => request.abort();
  show({ isBusy: true });
  try {
    const messages = [{ role: "user" as const, content }];
    const answer = await requestChat({ endpoint: "/api/chat", messages, signal: request.signal });
    show({ text: answer.text, error: answer.error?.message });
  } catch (error) {
    show({ error: request.signal.aborted ? "Stopped." : (error as Error).message });
  }
});

function show({ text = "", error = "", isBusy = false }) {
  log.textContent = text;
  log.ariaBusy = String(isBusy);
  alert.textContent = error;
  send!.disabled = isBusy;
  stop!.disabled = !isBusy;
}
