/** Renders a scene on a server. */
import { renderToString } from "react-dom/server";
import { type SceneName, scenes } from "./scenes.tsx";

export function renderScene(name: string): string {
  const Scene = scenes[name as SceneName];
  return renderToString(<Scene />);
}
