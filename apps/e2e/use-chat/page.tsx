/** Shows the scene in the page's path, in StrictMode unless the query is `?once`. */
import "./fast-refresh.ts";
import { StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { counts } from "./conversation.tsx";
import { type SceneName, scenes } from "./scenes.tsx";

declare global {
  interface Window {
    /** The number of renders of the chat, and of frames that the page has painted meanwhile. */
    counts: { renders: number; frames: number };
  }
}

window.counts = {
  get renders() {
    return counts.renders;
  },
  frames: 0,
};
const countFrame = () => {
  window.counts.frames++;
  requestAnimationFrame(countFrame);
};
requestAnimationFrame(countFrame);

const Scene = scenes[location.pathname.slice(1) as SceneName];
const scene = new URLSearchParams(location.search).has("once") ? (
  <Scene />
) : (
  <StrictMode children={<Scene />} />
);
const root = document.querySelector("#root")!;
if (root.childElementCount > 0) hydrateRoot(root, scene);
else createRoot(root).render(scene);
